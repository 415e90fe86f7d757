import { describe, expect, test } from "bun:test";
import { twinOf, type Twin } from "../../../../src/roles/influxdb/mate.ts";
import { Turn } from "../../../../src/roles/influxdb/guard/turn.ts";
import { twinNode, type Said } from "../context.ts";

function twinThat(says: Said = {}): Twin {
  const [self, other] = [twinNode(1), twinNode(2, says)];
  const twin = twinOf(self, [self, other]);
  if (!twin) throw new Error("there are two");
  return twin;
}

const granted = () => Promise.resolve({ why: null });
const gap = {
  since: "2026-11-01T00:00:00.000Z",
  away: 4,
  done: 0.5,
  trouble: null,
  remedy: null,
  busy: true,
};

/** Two nodes that ask each other. */
function pair() {
  let now = 0;
  const clock = { now: () => now };
  const [first, second] = [new Turn(clock), new Turn(clock)];
  return {
    first,
    second,
    pass: (ms: number) => (now += ms),
    /** As the first asks the second, and the other way round. */
    firstAsks: () => first.take(twinThat(), () => Promise.resolve(second.answer(false, undefined))),
    secondAsks: () => second.take(twinThat(), () => Promise.resolve(first.answer(true, undefined))),
  };
}

test.each<[string, Said, string | undefined]>([
  ["has everything", {}, undefined],
  ["is filled", { gap }, "waiting for node2 to have everything"],
  ["may lack something, of which nobody is sure", { gap: { ...gap, away: 0 } }, undefined],
  [
    "lacks only what one bucket is held up for",
    { gap: { ...gap, overall: 0, trouble: "kept for 7d" } },
    undefined,
  ],
  [
    "is filled, and says why that does not go on",
    { gap: { ...gap, overall: 4, trouble: "no room" } },
    "waiting for node2 to have everything: no room",
  ],
  ["is down", { state: "down" }, "waiting for node2 to have everything"],
  [
    "is down, and says why",
    { state: "down", detail: "its disk is full" },
    "waiting for node2 to have everything: its disk is full",
  ],
  ["is not one of the twins yet", { joined: false }, "waiting for node2 to have everything"],
  ["has said nothing", { silent: true }, "waiting for node2 to have everything"],
  ["is dead", { liveness: "dead" }, "waiting for node2, which is not heard"],
])("the other one %s", async (_, says, awaiting) => {
  const turn = new Turn({ now: () => 0 });
  expect(await turn.take(twinThat(says), granted)).toBe(awaiting);
  expect(turn.isMine).toBe(awaiting === undefined);
});

test("the other one has the last word, and none is no yes", async () => {
  const turn = new Turn({ now: () => 0 });
  expect(await turn.take(twinThat(), () => Promise.resolve({ why: "no" }))).toBe("waiting for node2: no");
  expect(await turn.take(twinThat(), () => Promise.reject(new Error("gone")))).toContain("gone");
  expect(await turn.take(twinThat(), () => Promise.resolve(null))).toBeString();
  expect(turn.isMine).toBe(false);
});

describe("two that ask each other", () => {
  test("one after the other: who has it keeps it until its server was restarted", async () => {
    const { second, firstAsks, secondAsks, pass } = pair();
    expect(await secondAsks()).toBeUndefined();
    expect(await firstAsks()).toBe("waiting for node2 to restart its server");
    pass(15_000);
    expect(await firstAsks()).toBe("waiting for node2: its own server is restarted first");
    second.end();
    expect([second.isMine, await firstAsks()]).toEqual([false, undefined]);
  });

  test("who has left it to the other one does not take it as long as the answer may be on its way", async () => {
    const { first, firstAsks, pass } = pair();
    expect(first.answer(true, undefined)).toEqual({ why: null });
    expect(first.isGiven).toBe(true);
    expect(await firstAsks()).toBe("waiting for node2 to restart its server");
    pass(15_000);
    expect(first.isGiven).toBe(false);
    expect(await firstAsks()).toBeUndefined();
  });

  test("at the same moment: the first has it, and the other one not", async () => {
    const { first, second } = pair();
    const asked = Promise.withResolvers<unknown>();
    const [one, other] = [
      first.take(twinThat(), () => asked.promise),
      second.take(twinThat(), () => Promise.resolve(first.answer(true, undefined))),
    ];
    asked.resolve(second.answer(false, undefined));
    expect(await Promise.all([one, other])).toEqual([
      undefined,
      "waiting for node2: its own server is restarted first",
    ]);
    expect([first.isMine, second.isMine]).toEqual([true, false]);
  });

  test("who does not use it loses it", async () => {
    const { first, secondAsks, firstAsks, pass } = pair();
    expect(await firstAsks()).toBeUndefined();
    expect(await secondAsks()).toContain("waiting for node2");
    pass(60_000);
    expect(first.isMine).toBe(false);
    expect(await secondAsks()).toBeUndefined();
  });

  test("a server that is not to be left alone with the clients says why", () => {
    const { first } = pair();
    expect(first.answer(true, "it lacks points")).toEqual({ why: "it lacks points" });
  });
});
