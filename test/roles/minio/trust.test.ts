import { beforeEach, expect, spyOn, test } from "bun:test";
import { log } from "../../../src/core/log.ts";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import { HeldRestart, type Serving } from "../../../src/roles/minio/guard/held-restart.ts";
import { TrustChange, type TrustServer } from "../../../src/roles/minio/guard/trust.ts";
import { allSeen, storeContext, storeNode, type Said } from "./context.ts";
import { servesWell, toldBalancer, toldMembership } from "./held.ts";

const [old, both] = ["0".repeat(16), "b".repeat(16)];

let now: number;
/** What was done, in order. */
let did: string[];
const tell = (what: string) => void did.push(what);
/** How often systemd was asked. */
let looks: number;
/** This node's server, and what it has on its disk. */
let file: { ca: string; changedAt: number; pairChangedAt: number };
let run: { startedAt: number; answers: boolean; shows: number };
/** What the others said last. */
let said: { current: string; used: string | null };
let tls: boolean;
let hasVip: boolean;
let serving: Serving;
/** What its turn waits for. */
let awaits: string | undefined;
/** What the others are, but for what they said. */
let others: [Said, Said];
let restarts: HeldRestart;
let trust: TrustChange;

beforeEach(() => {
  [now, did, looks, tls, hasVip] = [0, [], 0, true, true];
  file = { ca: old, changedAt: 10, pairChangedAt: 10 };
  run = { startedAt: 20, answers: true, shows: 10 };
  said = { current: old, used: old };
  [serving, awaits, others] = [{ ...servesWell }, undefined, [{}, {}]];
  const members = () => [
    storeNode(1),
    ...others.map((other, i) => storeNode(i + 2, { trust: said, ...other })),
  ];
  const context = () => storeContext(members(), `nodes = 3\ntls = ${tls}`);
  const deps = {
    clock: { now: () => now },
    membership: toldMembership(tell, context),
    context,
    vip: () => (hasVip ? "FAULT" : "BACKUP"),
    hasVip: () => hasVip,
  } as unknown as GuardDeps;
  const server: TrustServer = {
    caChangedAt: async () => file.changedAt,
    ca: async () => (file.changedAt === 0 ? undefined : file.ca),
    async isOld() {
      looks++;
      return run.startedAt < file.changedAt;
    },
    isSettled: async () => run.answers,
    pairChangedAt: async () => file.pairChangedAt,
    shown: async () => (run.answers ? (run.shows === file.pairChangedAt ? "shown" : "other") : "unknown"),
    reread: async () => void did.push("reread"),
  };
  const { signal } = new AbortController();
  restarts = new HeldRestart(
    deps,
    () => serving,
    { take: async () => awaits, end() {} },
    signal,
    async () => void did.push("restart"),
    toldBalancer(tell),
  );
  trust = new TrustChange(deps, restarts, signal, server);
});

test("a server that was started with the CAs that are there is left alone, and systemd is asked once", async () => {
  for (let i = 0; i < 5; i++) await trust.advance();
  expect([trust.own(), looks, did]).toEqual([{ current: old, used: old, old: false }, 1, []]);
});

test("of a store without TLS nothing is asked", async () => {
  tls = false;
  file.pairChangedAt = 50;
  await trust.advance();
  await trust.keepShown();
  expect([trust.own(), looks, did]).toEqual([undefined, 0, []]);
});

test("servers are restarted for other CAs when all have them, and clients wait until all were started with them", async () => {
  await trust.advance();
  [file, did] = [{ ...file, ca: both, changedAt: 30 }, []];
  await trust.advance();
  expect([trust.own(), did]).toEqual([
    { current: both, used: null, old: true, awaits: ["node2", "node3"] },
    [],
  ]);
  said = { current: both, used: null };
  // What the balancers answered before they were reloaded for the same files ends first.
  await trust.advance();
  now = 9_999;
  await trust.advance();
  expect(did).toEqual([]);
  now = 10_000;
  await trust.advance();
  expect(did.slice(0, 3).toSorted()).toEqual([
    "hold",
    "node2 guard.minio.trust-hold",
    "node3 guard.minio.trust-hold",
  ]);
  expect(did.slice(3).toSorted()).toEqual([
    "node2 guard.minio.trust-restart",
    "node3 guard.minio.trust-restart",
    "restart",
  ]);
  // The new run does not answer yet.
  [run, did] = [{ ...run, startedAt: 40, answers: false }, []];
  await trust.advance();
  await restarts.settle();
  expect([trust.own()?.used, did]).toEqual([null, []]);
  run.answers = true;
  await trust.advance();
  await restarts.settle();
  expect([trust.own()?.used, did]).toEqual([both, []]);
  said = { current: both, used: both };
  for (const lacks of [{ writes: false }, { attached: false }]) {
    serving = { ...servesWell, ...lacks };
    await restarts.settle();
  }
  serving = servesWell;
  others[1].attached = false;
  await restarts.settle();
  expect(did).toEqual([]);
  others[1].attached = true;
  await restarts.settle();
  expect(did).toEqual(["release"]);
});

const fewer = { ...allSeen, nodes: allSeen.nodes.slice(1) };

test.each<[string, Partial<Serving>, [Said, Said]]>([
  ["a drive", { lacksDrives: true }, [{ seen: fewer }, { seen: fewer }]],
  ["a server", { lacksDrives: true }, [{ seen: fewer }, { state: "down", seen: null }]],
  ["a node", { lacksDrives: true }, [{ seen: fewer }, { liveness: "dead" }]],
])("clients wait for no longer than that where %s was away before the restart", async (_, own, before) => {
  [serving, others] = [{ ...servesWell, ...own }, before];
  expect(await restarts.handle("trust-hold", {})).toBeNull();
  // No server finds all drives any more.
  serving.attached = false;
  others = [
    { ...before[0], attached: false },
    { ...before[1], attached: false },
  ];
  file = { ...file, ca: both, changedAt: 15 };
  said = { current: both, used: null };
  await trust.advance();
  await restarts.settle();
  expect(did).toEqual(["hold"]);
  said = { current: both, used: both };
  await restarts.settle();
  expect(did).toEqual(["hold", "release"]);
});

test("where agents had just started before the restart, clients wait until servers have found all drives", async () => {
  serving = { ...servesWell, attached: false };
  others = [
    { attached: false, seen: null },
    { attached: false, seen: null },
  ];
  expect(await restarts.handle("trust-hold", {})).toBeNull();
  file = { ...file, ca: both, changedAt: 15 };
  said = { current: both, used: both };
  await trust.advance();
  await restarts.settle();
  expect(did).toEqual(["hold"]);
  serving = servesWell;
  others = [{}, {}];
  await restarts.settle();
  expect(did).toEqual(["hold", "release"]);
});

test("clients do not wait for a node that comes back meanwhile", async () => {
  others[1].liveness = "dead";
  await trust.advance();
  expect(await restarts.handle("trust-hold", {})).toBeNull();
  others[1] = { trust: { current: old, used: null }, attached: false };
  await restarts.settle();
  expect(did).toEqual(["hold", "release"]);
});

test("at another node's word a server is restarted if it would be started with the same, and was not yet", async () => {
  await trust.advance();
  const restart = (id: string) => restarts.handle("trust-restart", { id });
  expect(await restart(old)).toBeNull();
  expect(did).toEqual([]);
  await expect(restart(both)).rejects.toThrow("another trust");
  [file, said] = [
    { ...file, ca: both, changedAt: 30 },
    { current: old, used: old },
  ];
  await trust.advance();
  expect(await restart(both)).toBeNull();
  expect(did).toEqual(["restart"]);
  expect(await restarts.handle("turn", {})).toBeUndefined();
});

test("a node whose agent does not see to its server yet is not waited for", async () => {
  await trust.advance();
  file = { ...file, ca: both, changedAt: 30 };
  said = { current: both, used: both };
  others[1] = { phase: "installed", silent: true };
  await trust.advance();
  now = 10_000;
  await trust.advance();
  expect(did).toEqual(["hold", "node2 guard.minio.trust-hold", "restart"]);
  run = { ...run, startedAt: 40 };
  await trust.advance();
  await restarts.settle();
  expect(did.slice(-2)).toEqual(["restart", "release"]);
});

test("a server whose turn it is not is restarted when it is", async () => {
  file = { ...file, ca: both, changedAt: 30 };
  said = { current: both, used: both };
  awaits = "waiting for node2 to restart its server";
  const told = spyOn(log, "info");
  for (; now <= 20_000; now += 1_000) await trust.advance();
  expect(did).toEqual([]);
  expect(trust.own()?.awaiting).toBe(awaits);
  expect(told.mock.calls).toEqual([[`minio: the server is restarted later: ${awaits}`]]);
  told.mockRestore();
  awaits = undefined;
  await trust.advance();
  await trust.advance();
  expect(did).toContain("restart");
  expect(trust.own()?.awaiting).toBeUndefined();
});

test.each([true, false])(
  "an agent that starts anew in the middle, at the VIP: %p, restarts its server while all hold their clients",
  async (at) => {
    hasVip = at;
    file = { ...file, ca: both, changedAt: 30 };
    said = { current: both, used: both };
    await trust.advance();
    now = 10_000;
    await trust.advance();
    expect(trust.own()).toEqual({ current: both, used: null, old: true, awaits: [] });
    expect(did).toEqual(["hold", "node2 guard.minio.trust-hold", "node3 guard.minio.trust-hold", "restart"]);
  },
);

test("a server that was not told of its new certificate is told until it shows it", async () => {
  await trust.keepShown();
  file.pairChangedAt = 50;
  // Which one it has read is not known while it does not answer.
  run.answers = false;
  await trust.keepShown();
  expect(did).toEqual([]);
  run.answers = true;
  await trust.keepShown();
  await trust.keepShown();
  run.shows = 50;
  await trust.keepShown();
  await trust.keepShown();
  expect(did).toEqual(["reread", "reread"]);
});
