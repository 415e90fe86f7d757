/** What twin-guard.test.ts runs in namespaces of its own: the guard of a node's server, among stand-ins of all that it asks. */
import { afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import { exec } from "../../src/core/exec.ts";
import { paths } from "../../src/core/paths.ts";
import type { MemberView } from "../../src/cluster/types.ts";
import type { GuardDeps } from "../../src/roles/guard.ts";
import type { Happening } from "../../src/roles/happening.ts";
import { makingMethod } from "../../src/roles/influxdb/bucket-resource.ts";
import { TwinGuard } from "../../src/roles/influxdb/guard/guard.ts";
import { httpPort } from "../../src/roles/influxdb/layout.ts";
import type { Outage } from "../../src/roles/influxdb/outages.ts";
import type { Published } from "../../src/roles/influxdb/published.ts";
import { twinContext, twinNode, type Said } from "../roles/influxdb/context.ts";
import { addresses } from "./namespaces.ts";
import { StandInServer } from "./stand-in-influxdb.ts";
import { waitUntil } from "./wait.ts";

const { DIRECTORY: directory = "" } = process.env;
const [ownAddress, otherAddress] = addresses;
const units = join(directory, "units");
const told = join(directory, "told");
const run = "0123456789abcdef0123456789abcdef";

/** Ten times as fast as clocks are: only a server that does not answer is waited for as long as on a node. */
const factor = 10;
const clock: Clock = {
  wall: () => Date.now(),
  now: () => performance.now() * factor,
  sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
};

/** systemd, as far as it is asked: a unit's state is in a file, and what is to be done is only noted. */
const systemctl = `#!/bin/sh
for unit; do :; done
case "$*" in show*) exec cat "${units}/$unit" ;; *) echo "$*" >> "${told}" ;; esac
`;

const setUnit = (unit: string, active: string) =>
  writeFile(
    join(units, unit),
    `LoadState=loaded\nActiveState=${active}\nInvocationID=${run}\nMainPID=${active === "active" ? 42 : 0}\n`,
  );

beforeAll(async () => {
  await mkdir(units);
  const program = join(directory, "systemctl");
  await writeFile(program, systemctl);
  await chmod(program, 0o755);
  await exec(["mount", "--bind", program, "/usr/bin/systemctl"]);
  await exec(["mount", "-t", "tmpfs", "tmpfs", "/var/lib"]);
});

let own: StandInServer;
let other: StandInServer;
let stage: Stage;
beforeEach(async () => {
  await rm(paths.state, { recursive: true, force: true });
  await mkdir(paths.state);
  await mkdir("/var/lib/influxdb", { recursive: true });
  await writeFile(told, "");
  await setUnit("influxdb.service", "active");
  await setUnit("keepalived.service", "active");
  own = StandInServer.start(ownAddress, httpPort);
  other = StandInServer.start(otherAddress, httpPort);
});
afterEach(async () => {
  own.hold(false);
  other.hold(false);
  await stage.guard.stop();
  await Promise.all([own.stop(), other.stop()]);
});

/** What stands around a guard. */
interface Stage {
  guard: TwinGuard;
  /** Whether the VIP may be here, each time that it was said. */
  gates: boolean[];
  published: Published[];
  history: Happening[];
  maintenance: boolean;
  members: MemberView[];
  /** What the other node's agent was asked. */
  asked: string[];
}

interface Given {
  /** What this node's server may lack. */
  outages?: Outage[];
  /** What the other node says; undefined: there is none. */
  mate?: Said | undefined;
  /** This node joined after the other one. */
  isSecond?: boolean;
  maintenance?: boolean;
  /** No agent has seen its server before: there was no time in which nobody looked. */
  isUnseen?: boolean;
}

async function open({
  outages = [],
  mate,
  isSecond = false,
  maintenance = false,
  isUnseen = false,
}: Given): Promise<Stage> {
  const wellAt = Date.now();
  const kept = { joined: true, run: isUnseen ? "" : run, wellAt, alone: false, outages };
  await writeFile(paths.influxdbGap, JSON.stringify(kept));
  const self = { ...twinNode(isSecond ? 2 : 1), address: ownAddress };
  const there = mate && { ...twinNode(isSecond ? 1 : 2, mate), address: otherAddress };
  const gates: boolean[] = [];
  const published: Published[] = [];
  const history: Happening[] = [];
  const never = () => Promise.reject(new Error("the test does not expect this"));
  const made: Stage = {
    guard: undefined as never,
    gates,
    published,
    history,
    maintenance,
    members: [],
    asked: [],
  };
  made.members = there ? [self, there] : [self];
  const deps: GuardDeps = {
    clock,
    membership: {
      self,
      members: () => made.members,
      update: never,
      spec: () => ({ version: 1, toml: "", publisher: "", signature: "" }),
      pause: () => ({ at: Number.NEGATIVE_INFINITY, ms: 0 }),
      onChange: () => () => undefined,
      call: (_, method) => {
        made.asked.push(method);
        // Nothing was deleted.
        return Promise.resolve(method.endsWith(".deletions") ? [] : null);
      },
    },
    context: () => twinContext(made.members),
    setEligible: (eligible) => void gates.push(eligible),
    vip: () => (gates.at(-1) ? "BACKUP" : "FAULT"),
    hasVip: () => false,
    drain: () => Promise.resolve(),
    isDraining: () => false,
    heirs: () => [],
    claimVip: () => undefined,
    publish: (state) => Promise.resolve(void published.push(state as Published)),
    secret: () => undefined,
    takeSecret: never,
    useSecret: never,
    proveSecret: never,
    retireSecret: never,
    inMaintenance: () => made.maintenance,
    record: (happening) => void history.push(happening),
    askGateway: () => Promise.resolve(true),
    voter: undefined as never,
  };
  made.guard = new TwinGuard(deps);
  await made.guard.start();
  return (stage = made);
}

const untilGate = (open: boolean) =>
  waitUntil(`the gate to be ${open ? "open" : "closed"}`, 5_000, () => stage.gates.at(-1) === open);
/** It has looked at its server, and decided. */
const decided = async () => {
  await waitUntil("it to be known how the server is", 5_000, () => stage.published.length > 0);
  return stage.gates.at(-1);
};
const commands = async () => (await readFile(told, "utf8")).split("\n").filter(Boolean);

const outage = (seconds: number, more: Partial<Outage> = {}): Outage => {
  const to = Date.now() - 60_000;
  return { from: to - seconds * 1000, to, sure: true, ...more };
};
const gap = (away: number): Published["gap"] => ({
  since: "2026-11-22T08:00:00.000Z",
  away,
  overall: away,
  done: 0,
  trouble: null,
  remedy: null,
  busy: false,
});

test.each<[string, () => Given, boolean]>([
  ["both have everything", () => ({ mate: {} }), true],
  ["it lacks 4 s, and the other one nothing", () => ({ outages: [outage(4)], mate: {} }), false],
  ["it lacks 4 s, and the other one 8", () => ({ outages: [outage(4)], mate: { gap: gap(8) } }), true],
  ["it lacks 8 s, and the other one 4", () => ({ outages: [outage(8)], mate: { gap: gap(4) } }), false],
  ["both lack 4 s, and it joined first", () => ({ outages: [outage(4)], mate: { gap: gap(4) } }), true],
  [
    "both lack 4 s, and the other one joined first",
    () => ({ outages: [outage(4)], mate: { gap: gap(4) }, isSecond: true }),
    false,
  ],
  [
    "it lacks 4 s, and the other one's server is down",
    () => ({ outages: [outage(4)], mate: { state: "down" } }),
    true,
  ],
  [
    "it lacks 4 s, and the other one's server is not one of the twins yet",
    () => ({ outages: [outage(4)], mate: { joined: false } }),
    true,
  ],
  ["it may lack what nobody looked at", () => ({ outages: [outage(4, { sure: false })], mate: {} }), true],
  [
    "a single bucket is held up, and the other one has it",
    () => ({ outages: [outage(4, { bucket: "raw" })], mate: {} }),
    false,
  ],
  ["somebody works on the node", () => ({ mate: {}, maintenance: true }), false],
  ["it is alone, and has everything", () => ({}), true],
])("clients may be led here or not: %s", async (_, given, eligible) => {
  // What the other one has cannot be had: nothing is filled meanwhile.
  other.hold(true, "/query");
  other.rawSeconds = 7_200;
  await open(given());
  expect(await decided()).toBe(eligible);
  expect(stage.published.at(-1)).toMatchObject({ state: "serving", joined: true, eligible });
});

test.each<[string, () => Given]>([
  ["the other one is dead", () => ({ outages: [outage(4)], mate: { liveness: "dead" } })],
  ["the other one says nothing", () => ({ outages: [outage(4)], mate: { silent: true } })],
  ["the other one is not set up yet", () => ({ outages: [outage(4)], mate: { phase: "installed" } })],
])("it lacks points, and serves once it is known that nobody has more: %s", async (_, given) => {
  other.hold(true, "/query");
  await open(given());
  expect(await decided()).toBe(false);
  await untilGate(true);
});

test("what it lacks is filled from the other one before clients are led to it, and history has it", async () => {
  other.hold(true, "/query");
  await open({ outages: [outage(4)], mate: {} });
  expect(await decided()).toBe(false);
  expect(stage.published.at(-1)?.gap).toMatchObject({ away: 4 });
  other.hold(false);
  await untilGate(true);
  await waitUntil("it to be published", 5_000, () => (stage.published.at(-1)?.gap?.away ?? 0) === 0);
  expect(stage.history.map(({ kind, message }) => `${kind}: ${message}`).join()).toMatch(
    /^gap: node1 has everything again: 0 points of /,
  );
});

test("both lack something, and the other one has filled its own: it gives the VIP up, and not before", async () => {
  other.hold(true, "/query");
  await open({ outages: [outage(4)], mate: { gap: gap(4) } });
  expect(await decided()).toBe(true);
  stage.members = [stage.members[0]!, { ...twinNode(2), address: otherAddress }];
  await untilGate(false);
});

test("a server that ends: the gate is closed at once, and it may lack points from then on", async () => {
  await open({ mate: {} });
  expect(await decided()).toBe(true);
  await setUnit("influxdb.service", "inactive");
  await own.stop();
  await untilGate(false);
  await waitUntil("it to be published", 5_000, () => stage.published.at(-1)?.state === "down");
  expect(stage.published.at(-1)?.gap?.away).toBeGreaterThan(0);
  await waitUntil("it to be started again", 5_000, async () =>
    (await commands()).some((line) => /^--quiet .*start --no-block influxdb/.test(line)),
  );
  const { outages } = JSON.parse(await readFile(paths.influxdbGap, "utf8")) as { outages: Outage[] };
  expect(outages.at(-1)).toMatchObject({ to: null, sure: true });
});

test("a server that was stopped on purpose is not started, and clients are not led to it when it is back", async () => {
  await open({ mate: {} });
  expect(await decided()).toBe(true);
  stage.maintenance = true;
  await untilGate(false);
  await setUnit("influxdb.service", "inactive");
  await own.stop();
  await waitUntil("it to be published", 5_000, () => stage.published.at(-1)?.state === "down");
  const looks = stage.published.length;
  await waitUntil("it to be looked at again", 5_000, () => stage.published.length > looks + 3);
  expect(await commands()).toEqual([]);
  other.hold(true, "/query");
  own = StandInServer.start(ownAddress, httpPort);
  await setUnit("influxdb.service", "active");
  await waitUntil("it to serve", 5_000, () => stage.published.at(-1)?.state === "serving");
  stage.maintenance = false;
  // It lacks what the other one took meanwhile.
  const looked = stage.published.length;
  await waitUntil("it to be looked at again", 5_000, () => stage.published.length > looked + 1);
  expect(stage.gates.at(-1)).toBe(false);
});

test("a server that hangs: one late answer is nothing, two are an outage", async () => {
  await open({ mate: {} });
  expect(await decided()).toBe(true);
  const before = own.writes;
  own.hold(true, "/api/v2/write");
  await waitUntil("a point to be written", 5_000, () => own.writes > before);
  await waitUntil("another one, since that was late", 5_000, () => own.writes > before + 1);
  expect(stage.gates.at(-1)).toBe(true);
  await untilGate(false);
  await waitUntil("it to be published", 5_000, () => stage.published.at(-1)?.state !== "serving");
  expect(stage.published.at(-1)?.detail).toContain("did not answer within");
});

test.each<[string, () => void, RegExp]>([
  [
    "takes no points",
    () => own.refuse(500, "unexpected error writing points to database: x"),
    /unexpected error/,
  ],
  ["forgets points", () => own.forget(), /does not give them back/],
])(
  "a server that %s: the gate is closed, and it is restarted when it does so again",
  async (_, breakIt, why) => {
    await open({ mate: {} });
    expect(await decided()).toBe(true);
    breakIt();
    await untilGate(false);
    await waitUntil("it to be restarted", 5_000, async () =>
      (await commands()).some((line) => line.endsWith("restart --no-block influxdb.service")),
    );
    await waitUntil("it to be told", 5_000, () => why.test(stage.published.at(-1)?.detail ?? ""));
    expect(stage.history.map(({ message }) => message).join()).toMatch(
      /is restarted, for by itself it may not take points/,
    );
  },
);

test.each([
  [
    "token was deleted",
    () => own.refuse(401, "unauthorized access", "unauthorized", "/api"),
    "the server of node1 refuses the administrator's token, which it took before",
    "build it anew from node2: chime-node maintenance on",
  ],
  [
    "organisation was renamed",
    () => own.refuse(404, 'organization name "chime" not found', "not found", "/api"),
    "the server of node1 has no organisation chime any more",
    "influx org update --id ID --name chime",
  ],
])(
  "a server whose %s: the gate is closed, and what brings it back is told",
  async (_, breakIt, why, remedy) => {
    await open({ mate: {} });
    expect(await decided()).toBe(true);
    breakIt();
    await untilGate(false);
    await waitUntil("it to be told", 5_000, () => stage.published.at(-1)?.detail?.includes(why) === true);
    expect(stage.published.at(-1)).toMatchObject({ joined: false, remedy: expect.stringContaining(remedy) });
    // Of it nothing is restarted, nor set up anew.
    expect(await commands()).toEqual([]);
  },
);

test("a server whose disk is read-only: that is told, and it is restarted once it can be written to, and not before", async () => {
  const data = "/var/lib/influxdb";
  await open({ mate: {} });
  expect(await decided()).toBe(true);
  expect(stage.guard.problems()).toEqual([]);
  await exec(["mount", "--bind", data, data]);
  try {
    await exec(["mount", "-o", "remount,bind,ro", data]);
    own.refuse(
      500,
      `unexpected error writing points to database: write ${data}/influxd.bolt: read-only file system`,
    );
    await untilGate(false);
    expect(stage.guard.problems()).toMatchObject([
      {
        code: "influxdb.read_only",
        severity: "error",
        node: "node1",
        message: expect.stringContaining(data),
      },
    ]);
    const { writes } = own;
    await waitUntil("it to be tried again and again", 5_000, () => own.writes > writes + 5);
    expect(stage.published.at(-1)?.detail).toContain("read-only file system");
    expect(await commands()).toEqual([]);
  } finally {
    await exec(["umount", data]);
  }
  await waitUntil("it to be restarted", 5_000, async () =>
    (await commands()).some((line) => line.endsWith("restart --no-block influxdb.service")),
  );
  expect(stage.guard.problems()).toEqual([]);
});

test("the other one is restarted: it is relied on, though a single bucket of it is held up", async () => {
  other.rawSeconds = 7_200;
  await open({ outages: [outage(4, { bucket: "raw" })], mate: {}, isUnseen: true });
  await waitUntil("it to be tried in vain", 5_000, () => stage.published.at(-1)?.gap?.trouble != null);
  expect(stage.gates).not.toContain(true);
  expect(await stage.guard.handle("turn", {}, "node2")).toEqual({ why: null });
  expect(stage.gates.at(-1)).toBe(true);
});

test.each<[string, () => Given, RegExp]>([
  ["lacks points", () => ({ outages: [outage(4)], mate: {} }), /does not have everything/],
  [
    "has not compared a time in which nobody looked",
    () => ({ outages: [outage(4, { sure: false })], mate: {} }),
    /not compared yet since/,
  ],
  ["is not to serve", () => ({ mate: {}, maintenance: true }), /not to serve now/],
])("the other one may not be restarted while this one %s", async (_, given, why) => {
  other.hold(true, "/query");
  await open(given());
  await decided();
  expect(await stage.guard.handle("turn", {}, "node2")).toEqual({ why: expect.stringMatching(why) });
});

test.each<[string, (made: Stage) => Promise<unknown>]>([
  ["it compares", () => Promise.resolve()],
  ["the other one asks for it", ({ guard }) => guard.handle("level", {}, "node2")],
])("a bucket that its server lacks is made, and compared over all times: %s", async (_, prompt) => {
  other.buckets.push("byhand");
  other.hold(true, "/query");
  await open({ mate: {}, isSecond: false });
  expect(await decided()).toBe(true);
  await prompt(stage);
  await waitUntil("it to be made", 8_000, () => own.buckets.includes("byhand"));
  const { outages } = JSON.parse(await readFile(paths.influxdbGap, "utf8")) as { outages: Outage[] };
  expect(outages).toContainEqual({ from: 0, to: expect.any(Number), sure: false, bucket: "byhand" });
  expect(own.buckets.filter((name) => name === "byhand")).toHaveLength(1);
  expect(stage.gates.at(-1)).toBe(true);
});

test.each<[string, () => Given, boolean]>([
  ["the other one is away", () => ({ mate: { state: "down" } }), true],
  ["the other one has it", () => ({ mate: {}, maintenance: true }), true],
  ["the other one lacks it, too", () => ({ mate: {} }), false],
  ["there is no other one", () => ({}), false],
])("a bucket that apply is about to make is compared over all times: %s", async (why, given, isCompared) => {
  const lose = (server: StandInServer) => server.buckets.splice(server.buckets.indexOf("chime"), 1);
  other.hold(true, "/query");
  if (why.includes("lacks it")) lose(other);
  await open(given());
  await decided();
  lose(own);
  await stage.guard.command(makingMethod, {});
  const { outages } = JSON.parse(await readFile(paths.influxdbGap, "utf8")) as { outages: Outage[] };
  const noted = { from: 0, to: expect.any(Number), sure: false, bucket: "chime" };
  if (isCompared) expect(outages).toContainEqual(noted);
  else expect(outages).not.toContainEqual(noted);
});

test("a bucket that apply is about to keep for longer is compared over all times: what was dropped here the other one may have", async () => {
  other.hold(true, "/query");
  await open({ mate: {} });
  await decided();
  own.rules.set("chime", { everySeconds: 172_800, shardGroupDurationSeconds: 86_400 });
  await stage.guard.command(makingMethod, {});
  const { outages } = JSON.parse(await readFile(paths.influxdbGap, "utf8")) as { outages: Outage[] };
  expect(outages).toContainEqual({ from: 0, to: expect.any(Number), sure: false, bucket: "chime" });
});

test("the other one is asked to make what it lacks before it is compared with, and this node does not", async () => {
  own.buckets.push("byhand");
  await open({ outages: [outage(4)], mate: {} });
  await waitUntil("it to be asked", 5_000, () => stage.asked.includes("guard.influxdb.level"));
  expect(other.buckets).not.toContain("byhand");
});

test("nobody but the other one of the twins is answered", async () => {
  await open({ mate: {} });
  await expect(stage.guard.handle("turn", {}, "node3")).rejects.toMatchObject({ code: "guard.bad_question" });
});
