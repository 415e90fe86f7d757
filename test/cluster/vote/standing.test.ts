import { describe, expect, test } from "bun:test";
import { Standing, type GatewayVote } from "../../../src/cluster/vote/standing.ts";

/** What happens, second by second, and what the gateway's vote is at the end. */
type Event =
  | "peer spoke"
  | "peer heard"
  | "peer silent"
  | "gateway answers"
  | "gateway silent"
  | "did not run"
  | "asks the peer";

function vote(events: readonly Event[]): GatewayVote {
  const standing = new Standing(0);
  let heardAt = 0;
  let isSilent = false;
  let pause = { at: Number.NEGATIVE_INFINITY, ms: 0 };
  let asked = 0;
  let found: GatewayVote = "none";
  for (const [i, event] of events.entries()) {
    const now = (i + 1) * 1_000;
    if (event === "peer silent") isSilent = true;
    else if (event.startsWith("peer")) isSilent = false;
    if (!isSilent) heardAt = now;
    if (event === "did not run") pause = { at: now, ms: 600 };
    if (event === "gateway answers") standing.answered(now, now);
    if (event === "gateway silent") standing.missed();
    if (event === "asks the peer") asked = now;
    found = standing.look({ now, heardAt, isSilent, pause });
    if (event === "peer spoke") standing.spoke(asked || now);
  }
  return found;
}

const whole: Event[] = ["gateway answers", "peer spoke"];

describe("the gateway's vote", () => {
  const cases: [string, Event[], GatewayVote][] = [
    ["the peer falls silent", [...whole, "peer silent"], "unsure"],
    ["the gateway answers in the silence", [...whole, "peer silent", "gateway answers"], "steady"],
    ["not any more", [...whole, "peer silent", "gateway answers", "gateway silent"], "lost"],
    ["again, after a break", [...whole, "peer silent", "gateway silent", "gateway answers"], "back"],
    [
      "heard once after a break, and silent again",
      [
        ...whole,
        "peer silent",
        "gateway silent",
        "gateway answers",
        "peer heard",
        "peer silent",
        "gateway answers",
      ],
      "back",
    ],
    [
      "heard again after a silence without a break: what it did in it may be on its way",
      [...whole, "peer silent", "gateway answers", "peer heard", "peer silent", "gateway answers"],
      "back",
    ],
    [
      "spoken with after a break",
      [
        ...whole,
        "peer silent",
        "gateway silent",
        "gateway answers",
        "peer heard",
        "peer spoke",
        "peer silent",
        "gateway answers",
      ],
      "steady",
    ],
    [
      "the question was asked before the break",
      [
        ...whole,
        "asks the peer",
        "peer silent",
        "gateway silent",
        "gateway answers",
        "peer heard",
        "peer spoke",
        "peer silent",
        "gateway answers",
      ],
      "back",
    ],
    ["never spoken with", ["gateway answers", "peer heard", "peer silent", "gateway answers"], "back"],
    [
      "did not run, and heard what was under way",
      [...whole, "did not run", "peer silent", "gateway answers"],
      "back",
    ],
    ["it went while the peer was heard", [...whole, "gateway silent", "peer silent"], "lost"],
    ["it was never there", ["gateway silent", "peer spoke", "peer silent"], "none"],
  ];
  for (const [name, events, expected] of cases) test(name, () => expect(vote(events)).toBe(expected));
});

test("whether it answers: unknown, at once, and a while after a break", () => {
  const standing = new Standing(0);
  expect(standing.answers(0)).toBeNull();
  standing.answered(0, 10);
  expect(standing.answers(20)).toBe(true);
  standing.missed();
  expect(standing.answers(1_000)).toBe(false);
  standing.answered(2_000, 2_010);
  expect(standing.answers(3_000)).toBe(false);
  expect(standing.answers(4_000)).toBe(true);
});

test("why it is out: what came first is told until they have spoken", () => {
  const standing = new Standing(5);
  const none = { at: Number.NEGATIVE_INFINITY, ms: 0 };
  const sight = { now: 1_000, heardAt: 1_000, isSilent: false, pause: none };
  expect(standing.out).toEqual({ from: 5, since: "its agent started" });
  standing.answered(1_000, 1_010);
  standing.look(sight);
  standing.spoke(1_100);
  expect(standing.out).toBeNull();
  standing.look({ ...sight, now: 2_000, heardAt: 2_000, pause: { at: 2_000, ms: 620 } });
  const paused = { from: 2_000, since: "its agent stood still for 0.6 s" };
  expect(standing.out).toEqual(paused);
  standing.missed();
  standing.look({ ...sight, now: 3_000, heardAt: 2_000, isSilent: true });
  expect(standing.out).toEqual(paused);
  standing.spoke(4_000);
  standing.look({ ...sight, now: 5_000, heardAt: 4_000, isSilent: true });
  expect(standing.out).toEqual({ from: 5_000, since: "it reached neither the other node nor its gateway" });
});

test("an answer that was read late, and asked for before the silence, says nothing of it", () => {
  const standing = new Standing(0);
  standing.answered(0, 10);
  standing.spoke(10);
  const pause = { at: Number.NEGATIVE_INFINITY, ms: 0 };
  standing.answered(900, 1_200);
  expect(standing.look({ now: 1_210, heardAt: 1_000, isSilent: true, pause })).toBe("unsure");
  standing.answered(1_220, 1_230);
  expect(standing.look({ now: 1_240, heardAt: 1_000, isSilent: true, pause })).toBe("steady");
});
