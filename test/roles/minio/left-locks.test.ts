import { beforeEach, expect, test } from "bun:test";
import { LeftLocks } from "../../../src/roles/minio/guard/left-locks.ts";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import { storeContext, storeNode } from "./context.ts";

const serves = { up: true, reads: true, writes: true };
const starts = { up: true, reads: false, writes: false };
const down = { up: false, reads: false, writes: false };

let run: { runs: boolean; startedAt: number };
let members: ReturnType<typeof storeNode>[];
let fails: boolean;
/** Whose server was asked, and for locks from before when. */
let asked: [string, number][];
let locks: LeftLocks;
beforeEach(() => {
  run = { runs: true, startedAt: 100 };
  members = [1, 2, 3].map((index) => storeNode(index));
  [asked, fails] = [[], false];
  const deps = {
    clock: { wall: () => 900 },
    context: () => storeContext(members),
    membership: { members: () => members },
  } as unknown as GuardDeps;
  locks = new LeftLocks(
    deps,
    new AbortController().signal,
    async () => run,
    async ({ address }, before) => {
      asked.push([address, before]);
      if (fails) throw new Error("not now");
    },
  );
});

async function look(...each: (typeof serves)[]): Promise<[string, number][]> {
  for (const health of each) await locks.look(health).catch(() => undefined);
  return asked.splice(0);
}

test("an agent that starts asks its own server, once", async () => {
  expect(await look(starts, serves, serves)).toEqual([["10.0.0.11", 100]]);
});

test("of a server that is gone another one ends the locks at once, and again those from before the next run", async () => {
  await look(serves);
  run = { runs: false, startedAt: 100 };
  expect(await look(down, down)).toEqual([["10.0.0.12", 900]]);
  run = { runs: true, startedAt: 1_900 };
  expect(await look(down, down, starts)).toEqual([["10.0.0.12", 1_900]]);
  expect(await look(serves, serves)).toEqual([["10.0.0.11", 1_900]]);
});

test("one that hangs keeps its own", async () => {
  await look(serves);
  expect(await look(down, down)).toEqual([["10.0.0.12", 100]]);
});

test("it is asked for again where that failed", async () => {
  run = { runs: false, startedAt: 100 };
  fails = true;
  expect(await look(down)).toHaveLength(1);
  fails = false;
  expect(await look(down, down)).toHaveLength(1);
});

test("only one that lives and serves is asked", async () => {
  members = [storeNode(1), storeNode(2, { liveness: "dead" }), storeNode(3, { state: "waiting" })];
  run = { runs: false, startedAt: 100 };
  expect(await look(down)).toEqual([]);
  members = [storeNode(1), storeNode(2, { state: "down" }), storeNode(3)];
  expect(await look(down)).toEqual([["10.0.0.13", 900]]);
});
