import { beforeEach, describe, expect, test } from "bun:test";
import type { GuardDeps } from "../../src/roles/guard.ts";
import { awaitHeir, giveVipUp, whyNotUp } from "../../src/roles/own-server.ts";
import { member } from "../agent/members.ts";

let now = 0;
let isHere = true;
/** When keepalived obeys a gate that was closed, and when another node stands by, ms. */
let obeysAt = 70;
let standsByAt = 0;
let nodes = [member("node1"), member("node2")];
let events: string[] = [];
beforeEach(() => {
  events = [];
  [now, isHere, obeysAt, standsByAt] = [0, true, 70, 0];
  nodes = [member("node1"), member("node2")].map((node) => ({
    ...node,
    roles: ["minio"],
    phase: { minio: "ready" },
  }));
});

const clock = {
  now: () => now,
  sleep: async (ms: number) => {
    now += ms;
  },
};
const deps = {
  clock,
  membership: { self: nodes[0], members: () => nodes },
  drain: async () => void events.push("drained"),
  setEligible: () => void events.push("closed"),
  hasVip: () => isHere && now < obeysAt,
  heirs: () => (now >= standsByAt ? ["node2"] : []),
} as unknown as GuardDeps;
const { signal } = new AbortController();

describe("a VIP that is given up", () => {
  test("is waited for until keepalived has let it go, once clients have nothing under way", async () => {
    await giveVipUp(deps, signal);
    expect(events).toEqual(["drained", "closed"]);
    expect(now).toBe(80);
  });

  test("and that is not here has left already", async () => {
    isHere = false;
    await giveVipUp(deps, signal);
    expect(now).toBe(0);
  });

  test("is not waited for without end", async () => {
    obeysAt = Infinity;
    await giveVipUp(deps, signal);
    expect(now).toBeWithin(5_000, 5_100);
  });
});

describe("before it is given up", () => {
  beforeEach(() => {
    obeysAt = Infinity;
  });

  test("another node stands by", async () => {
    standsByAt = 3_000;
    await awaitHeir("minio", deps, signal);
    expect(now).toBe(3_000);
  });

  test("nobody is waited for where it is not here, or where nobody else lives", async () => {
    standsByAt = Infinity;
    isHere = false;
    await awaitHeir("minio", deps, signal);
    isHere = true;
    nodes = nodes.map((node) => (node.name === "node2" ? { ...node, state: "dead" } : node));
    await awaitHeir("minio", deps, signal);
    expect(now).toBe(0);
  });

  test("one whose server is not set up yet is nobody", async () => {
    standsByAt = Infinity;
    nodes = nodes.map((node) => (node.name === "node2" ? { ...node, phase: { minio: "installed" } } : node));
    await awaitHeir("minio", deps, signal);
    expect(now).toBe(0);
  });

  test("one that lives and may not take it keeps it here", async () => {
    standsByAt = Infinity;
    await expect(awaitHeir("minio", deps, signal)).rejects.toMatchObject({
      code: "minio.no_heir",
      message: "the VIP of minio is here, and node2 may not take it",
    });
    expect(now).toBeWithin(10_000, 10_100);
  });
});

const unit = "influxdb.service";
const at = 1_800_000_000_000;
const ended = { runs: false, startedAt: at - 2_000 };
test.each([
  ["is being started", { active: "activating", restarts: 0 }, null],
  ["ended once and is started again", { active: "activating", restarts: 1 }, null],
  ["ends each time", { active: "activating", restarts: 5 }, "ends each time it is started: journalctl"],
  [
    "ends each time, and runs for the moment",
    { active: "activating", restarts: 5, runs: true },
    "ends each time it is started: journalctl",
  ],
  [
    "ended often in a year, and waits for the others now",
    { active: "activating", restarts: 5, runs: true, startedAt: at - 61_000 },
    null,
  ],
  ["ends each time, and was started just now", { active: "active", restarts: 9 }, null],
  ["systemd gave it up", { active: "failed", restarts: 5 }, "failed: journalctl"],
  ["was stopped", { active: "inactive", restarts: 0 }, null],
])("why a server that %s is not up", (_, state, why) => {
  const said = whyNotUp(unit, { ...ended, ...state }, at);
  if (why === null) expect(said).toBeNull();
  else expect(said).toContain(`${unit} ${why}`);
});
