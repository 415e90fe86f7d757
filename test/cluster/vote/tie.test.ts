import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed } from "../../../src/core/errors.ts";
import type { Liveness, Member, Pause } from "../../../src/cluster/types.ts";
import { MemoryFile } from "../../../src/cluster/vote/memory.ts";
import type { Term } from "../../../src/cluster/vote/term.ts";
import { Tie } from "../../../src/cluster/vote/tie.ts";
import { Voter } from "../../../src/cluster/vote/voter.ts";
import { SimClock } from "../sim.ts";
import { signing } from "./signing.ts";

const held: Term = {
  term: 4,
  writer: "a",
  in_sync: ["a", "b"],
  voters: ["a", "b"],
  old_voters: [],
  tie: "gateway",
};

let directory: string;
let clock: SimClock;
let voter: Voter;
let tie: Tie;
let gateway: { answers: boolean; asked: number };
let peer: { state: Liveness; heardAt: number; knows: Term; silent: boolean };
let pause: Pause;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-tie-"));
  clock = new SimClock();
  gateway = { answers: true, asked: 0 };
  peer = { state: "alive", heardAt: 0, knows: held, silent: false };
  pause = { at: Number.NEGATIVE_INFINITY, ms: 0 };
  const self = { name: "a" } as Member;
  const call = async () => {
    if (peer.silent) throw failed("peer.timeout", "silence");
    return { held: peer.knows };
  };
  const council = { self, call, ...signing("a") };
  voter = new Voter("demo", council, new MemoryFile(directory), { term: null, proven: null });
  voter.remember({ term: held });
  const askGateway = async (timeoutMs: number) => {
    gateway.asked += 1;
    if (!gateway.answers) await clock.sleep(timeoutMs);
    return gateway.answers;
  };
  const membership = { self, pause: () => pause };
  tie = new Tie({ clock, membership, voter, askGateway, changed: () => undefined });
});
afterEach(async () => {
  tie.stop();
  await rm(directory, { recursive: true });
});

function look() {
  if (peer.state === "alive") peer.heardAt = clock.now();
  return tie.look([{ name: "b", state: peer.state, silentMs: clock.now() - peer.heardAt }]);
}

/** Time passes, and the guard looks every 50 ms. */
async function pass(ms: number): Promise<void> {
  for (let end = clock.now() + ms; clock.now() < end;) {
    look();
    await clock.run(50);
  }
}

function fall(): void {
  Object.assign(peer, { state: "dead", silent: true });
}

function rise(): void {
  Object.assign(peer, { state: "alive", silent: false });
}

describe("two voters", () => {
  test("the other one falls silent: steady within 300 ms", async () => {
    await pass(1_000);
    expect(tie.heard).toEqual(["b"]);
    fall();
    await pass(300);
    expect(look()).toEqual({ answers: true, vote: "steady", out: null });
  });

  test("a break of the gateway in the silence counts until they have spoken", async () => {
    await pass(1_000);
    fall();
    await pass(300);
    gateway.answers = false;
    await pass(800);
    expect(look().vote).toBe("lost");
    gateway.answers = true;
    await pass(3_000);
    expect(look().vote).toBe("back");
    // A beat, and no answer.
    Object.assign(peer, { state: "alive" });
    await pass(100);
    fall();
    await pass(3_000);
    expect(look().vote).toBe("back");
    rise();
    await pass(500);
    fall();
    await pass(300);
    expect(look().vote).toBe("steady");
  });

  test("what the other one did meanwhile is known before this one is in again", async () => {
    await pass(1_000);
    pause = { at: clock.now(), ms: 600 };
    peer.knows = { ...held, term: 5, writer: "b", in_sync: ["b"] };
    await pass(200);
    expect(voter.memory.term?.term).toBe(5);
  });

  test("after a break they speak at once: the next look may be a second away", async () => {
    await pass(1_000);
    pause = { at: clock.now(), ms: 600 };
    look();
    await clock.run(50);
    fall();
    await pass(300);
    expect(look()).toEqual({ answers: true, vote: "steady", out: null });
  });

  test("an agent that starts in the silence has no vote", async () => {
    fall();
    await pass(2_000);
    expect(tie.heard).toEqual([]);
    expect(look().vote).toBe("back");
  });

  test("one question that is lost is no break, a second one is", async () => {
    await pass(1_000);
    gateway.answers = false;
    await pass(5_600);
    expect(look().answers).toBe(true);
    await pass(1_000);
    expect(look().answers).toBe(false);
    gateway.answers = true;
    await pass(5_000);
    expect(look().answers).toBe(true);
  });

  test("it is asked seldom at rest, and not at all where there is a third voter", async () => {
    await pass(30_000);
    expect(gateway.asked).toBeLessThan(8);
    voter.remember({ term: { ...held, term: 5, voters: ["a", "b", "w"] } });
    await pass(10_000);
    gateway.asked = 0;
    await pass(30_000);
    expect(gateway.asked).toBe(0);
  });
});
