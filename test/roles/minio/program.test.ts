import { beforeEach, expect, test } from "bun:test";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import { alone, HeldRestart } from "../../../src/roles/minio/guard/held-restart.ts";
import { ProgramChange } from "../../../src/roles/minio/guard/program.ts";
import { storeContext, storeNode, type Said } from "./context.ts";
import { servesWell, toldBalancer, toldMembership } from "./held.ts";

const [old, next] = ["a".repeat(64), "b".repeat(64)];

let now: number;
/** What was done, in order. */
let did: string[];
const tell = (what: string) => void did.push(what);
/** This node's program and server. */
let file: { hash: string | undefined; changedAt: number };
let run: { active: string; startedAt: number; answers: boolean };
let ordered: string | null;
/** What the others said last. */
let others: [Said, Said];
let restarts: HeldRestart;
let program: ProgramChange;

const has = (current: string, used: string | null): Said => ({ program: { current, used } });

beforeEach(() => {
  [now, did, ordered] = [0, [], null];
  file = { hash: old, changedAt: 10 };
  run = { active: "active", startedAt: 20, answers: true };
  others = [has(old, old), has(old, old)];
  const members = () => [storeNode(1), ...others.map((other, i) => storeNode(i + 2, other))];
  const context = () => storeContext(members(), "nodes = 3");
  const deps = {
    clock: { now: () => now },
    membership: toldMembership(tell, context),
    context,
    hasVip: () => true,
  } as unknown as GuardDeps;
  const { signal } = new AbortController();
  restarts = new HeldRestart(
    deps,
    () => servesWell,
    alone,
    signal,
    async () => void did.push("restart"),
    toldBalancer(tell),
  );
  program = new ProgramChange(deps, restarts, signal, {
    changedAt: async () => file.changedAt,
    hash: async () => file.hash,
    run: async () => run,
    answers: async () => run.answers,
    ordered: () => ordered,
    async drop() {
      ordered = null;
      did.push("drop");
    },
  });
});

/** An `apply` here has put the next program there and ordered the restart. */
const apply = () => {
  file = { hash: next, changedAt: 30 };
  ordered = next;
};

test("ordered here, servers are restarted once every node has the program; clients wait until all were started with it", async () => {
  await program.advance();
  expect([program.own(), did]).toEqual([{ current: old, used: old, old: false }, []]);
  apply();
  others = [has(next, null), has(old, old)];
  await program.advance();
  expect([program.own(), did]).toEqual([{ current: next, used: null, old: true }, []]);
  others = [has(next, null), has(next, null)];
  await program.advance();
  expect(did.slice(0, 3).toSorted()).toEqual([
    "hold",
    "node2 guard.minio.program-hold",
    "node3 guard.minio.program-hold",
  ]);
  expect(did.slice(3).toSorted()).toEqual([
    "node2 guard.minio.program-restart",
    "node3 guard.minio.program-restart",
    "restart",
  ]);
  did = [];
  // The one before is on its way out, and still answers.
  run.active = "deactivating";
  await program.advance();
  await restarts.settle();
  expect([program.own()?.used, did]).toEqual([null, []]);
  run = { active: "active", startedAt: 40, answers: true };
  await program.advance();
  await restarts.settle();
  expect([program.own()?.used, ordered, did]).toEqual([next, null, ["drop"]]);
  others = [has(next, next), { ...has(next, next), attached: false }];
  await restarts.settle();
  expect(did).toEqual(["drop"]);
  others = [has(next, next), has(next, next)];
  await restarts.settle();
  expect(did).toEqual(["drop", "release"]);
});

const why: Record<string, () => void> = {
  "nobody ordered it": () => (ordered = null),
  "the server is stopped: it is started with it": () => (run.active = "inactive"),
  "one says nothing of its program: an older version": () => (others[1] = {}),
  "one that is dead has the old one: it would not be let in": () =>
    (others[1] = { ...has(old, old), liveness: "dead" }),
};
const done: Record<string, () => void> = {
  "another program is there by now": () => (ordered = "c".repeat(64)),
  "the server was started with it since": () => (run.startedAt = 40),
};
test.each([
  ...Object.entries(why).map(([what, change]) => ({ what, change, expected: [] })),
  ...Object.entries(done).map(([what, change]) => ({ what, change, expected: ["drop"] })),
])("no restart where $what", async ({ change, expected }) => {
  apply();
  others = [has(next, null), has(next, null)];
  change();
  await program.advance();
  expect(did).toEqual(expected);
});

test("asked by another node, this one's server is restarted once, and not with another program", async () => {
  apply();
  await program.advance();
  await restarts.handle("program-hold", {});
  await restarts.handle("program-restart", { id: next });
  expect(did).toEqual(["hold", "restart"]);
  run.startedAt = 40;
  await restarts.handle("program-restart", { id: next });
  expect(did).toEqual(["hold", "restart"]);
  expect(restarts.handle("program-restart", { id: old })).rejects.toMatchObject({
    code: "minio.not_the_same",
  });
});

test("of a package nothing is told, and other restarts do not wait for it", async () => {
  file.hash = undefined;
  await program.advance();
  await restarts.handle("program-hold", {});
  await restarts.settle();
  expect([program.own(), did]).toEqual([undefined, ["hold", "release"]]);
});
