import { afterAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Happening } from "../../src/roles/happening.ts";
import type { Guards } from "../../src/agent/guards.ts";
import { beginMaintenance, endMaintenance, Maintenance } from "../../src/agent/maintenance.ts";
import { reportKey } from "../../src/agent/report.ts";
import type { Status } from "../../src/agent/status.ts";
import { failed } from "../../src/core/errors.ts";
import type { MemberView } from "../../src/cluster/types.ts";
import type { PairNodeStatus } from "../../src/roles/types.ts";
import { member } from "./members.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-maintenance-"));
afterAll(() => rm(directory, { recursive: true, force: true }));

let now = 0;
const clock = {
  wall: () => Date.UTC(2026, 10, 21),
  now: () => now,
  sleep: async (ms: number) => void (now += ms),
};
const since = "2026-11-21T00:00:00.000Z";
let files = 0;

function node(
  name: string,
  state: PairNodeStatus["state"],
  change: Partial<PairNodeStatus> = {},
): PairNodeStatus {
  const replicates = state === "replica";
  return {
    name,
    state,
    replicating: replicates,
    lag_seconds: null,
    semi_sync: true,
    protected: true,
    ...change,
  };
}

/** node1 as seen by its own agent, with a role whose nodes are these. */
async function agent(nodes: PairNodeStatus[], other: Partial<MemberView> = {}, handover = async () => ({})) {
  const path = join(directory, `${files++}.json`);
  const maintenance = await Maintenance.load(path);
  const told: Happening[] = [];
  const asked: string[] = [];
  const members = [member("node1"), member("node2", other)];
  /** When keepalived has let the VIP go that is here, ms. */
  const vip = { isHere: false, leftAt: Infinity };
  /** What guards knew of it when clients' requests were ended. */
  const drains: { isOn: boolean; since: string | null }[] = [];
  const guard = { command: (method: string) => (asked.push(method), handover()) };
  const deps = {
    membership: { self: member("node1"), members: () => members },
    guards: { need: () => guard } as unknown as Guards,
    maintenance,
    history: { record: (happening: Happening) => void told.push(happening) },
    clock,
    vips: {
      isHere: () => vip.isHere && now < vip.leftAt,
      setEligible: () => void (vip.leftAt = now + 60),
    },
    balancer: { of: async () => void drains.push({ isOn: maintenance.isOn, since: maintenance.since }) },
    status: () => ({ roles: { demo: { writable: [], nodes } } }) as unknown as Status,
  };
  return { deps, told, asked, path, maintenance, vip, drains };
}

const pair = (first: PairNodeStatus["state"], second: PairNodeStatus["state"]) => [
  node("node1", first),
  node("node2", second),
];
const refusal = { code: "maintenance.nobody_left", exit: 3 };

test("the writer hands over first; on is on over a restart, said as a warning, and off again", async () => {
  const { deps, told, asked, path, maintenance } = await agent(pair("writer", "replica"));
  expect(await beginMaintenance(deps, false)).toEqual({
    node: "node1",
    maintenance: true,
    since,
    handed_over: ["demo"],
  });
  expect(asked).toEqual(["handover"]);
  const restarted = await Maintenance.load(path);
  expect(restarted.since).toBe(since);
  expect(restarted.problems("node1")).toMatchObject([{ code: "maintenance", severity: "warning" }]);
  await beginMaintenance(deps, false);
  expect(asked.length).toBe(1);
  expect(await endMaintenance(deps)).toMatchObject({ maintenance: false, since: null });
  await endMaintenance(deps);
  expect((await Maintenance.load(path)).since).toBeNull();
  expect(maintenance.problems("node1")).toEqual([]);
  expect(told.map(({ kind, message }) => [kind, message])).toEqual([
    ["maintenance", "node1 is in maintenance, after it handed over demo"],
    ["maintenance", "node1 is back from maintenance"],
  ]);
});

test("a replica has nothing to hand over", async () => {
  const { deps, asked } = await agent(pair("replica", "writer"));
  expect((await beginMaintenance(deps, false)).handed_over).toEqual([]);
  expect(asked).toEqual([]);
});

test("a handover that fails leaves the node as it was", async () => {
  const { deps, maintenance } = await agent(pair("writer", "replica"), {}, () =>
    Promise.reject(failed("mysql.no_heir", "none")),
  );
  expect(beginMaintenance(deps, false)).rejects.toMatchObject({ code: "mysql.no_heir" });
  expect(maintenance.since).toBeNull();
});

describe("refused where nobody else could write, unless accepted", () => {
  const inMaintenance = { roleState: { [reportKey]: { vips: {}, problems: [], maintenance: since } } };
  const catchingUp = [node("node1", "writer", { protected: false }), node("node2", "replica")];
  type Case = [what: string, nodes: PairNodeStatus[], other: Partial<MemberView>];
  test.each<Case>([
    ["it serves alone", [node("node1", "writer")], {}],
    ["the other is dead", pair("writer", "down"), { state: "dead" }],
    ["the other one catches up", catchingUp, {}],
    ["the other is quarantined", pair("writer", "quarantined"), {}],
    ["the other is in maintenance itself", pair("writer", "replica"), inMaintenance],
  ])("%s", async (_, nodes, other) => {
    const { deps, asked, maintenance } = await agent(nodes, other);
    expect(beginMaintenance(deps, false)).rejects.toMatchObject(refusal);
    expect(maintenance.since).toBeNull();
    expect(await beginMaintenance(deps, true)).toMatchObject({ maintenance: true, handed_over: [] });
    expect(asked).toEqual([]);
  });
});

describe("a role without a writer, whose VIP is here", () => {
  const says = (state: string) => ({
    roleState: {
      [reportKey]: {
        vips: { demo: { state, holds: false, peers: [member("node1").address] } },
        problems: [],
      },
    },
  });

  test("has it on the node that stands by before the operator is told to begin", async () => {
    const { deps, asked, vip, drains } = await agent([], says("BACKUP"));
    vip.isHere = true;
    deps.status = () => ({ roles: {} }) as unknown as Status;
    expect(await beginMaintenance(deps, false)).toMatchObject({ maintenance: true, handed_over: ["demo"] });
    expect([deps.vips.isHere(), asked]).toEqual([false, []]);
    expect(drains[0]).toEqual({ isOn: true, since: null });
  });

  test("may come back where the word that it was given up for cannot be kept", async () => {
    const { deps, maintenance, vip, path, drains } = await agent([], says("BACKUP"));
    vip.isHere = true;
    deps.status = () => ({ roles: {} }) as unknown as Status;
    // Where the marker is to go there is a directory.
    await mkdir(join(path, "in", "the", "way"), { recursive: true });
    await expect(beginMaintenance(deps, false)).rejects.toThrow();
    expect([drains.length, maintenance.isOn, maintenance.since]).toEqual([1, false, null]);
  });

  test("stays where nobody stands by, unless that is accepted", async () => {
    const { deps, maintenance, vip } = await agent([], says("FAULT"));
    vip.isHere = true;
    deps.status = () => ({ roles: {} }) as unknown as Status;
    await expect(beginMaintenance(deps, false)).rejects.toMatchObject(refusal);
    expect([maintenance.since, vip.leftAt]).toEqual([null, Infinity]);
    expect(await beginMaintenance(deps, true)).toMatchObject({ maintenance: true, handed_over: [] });
    expect(deps.vips.isHere()).toBe(false);
  });

  test("is no matter where the VIP is elsewhere", async () => {
    const { deps } = await agent([], says("MASTER"));
    deps.status = () => ({ roles: {} }) as unknown as Status;
    expect(await beginMaintenance(deps, false)).toMatchObject({ maintenance: true, handed_over: [] });
  });
});

test("a marker that cannot be read still says that it is on", async () => {
  const path = join(directory, "damaged.json");
  await writeFile(path, "{");
  expect((await Maintenance.load(path)).since).not.toBeNull();
});
