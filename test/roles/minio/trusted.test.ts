import { afterAll, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MemberView } from "../../../src/cluster/types.ts";
import {
  cannotFollow,
  noteTrust,
  restartAwaits,
  trustsOthers,
  wasStartedBefore,
  type TrustNote,
} from "../../../src/roles/minio/trusted.ts";
import { storeContext, storeNode } from "./context.ts";

const noted: TrustNote = { ca: "both", before: "first" };

test.each<
  [string, Parameters<typeof wasStartedBefore>[0], string | undefined, TrustNote | undefined, boolean]
>([
  ["before them", { active: "active", invocation: "first", startedAt: 5 }, "both", undefined, true],
  [
    "before them, and still starts",
    { active: "activating", invocation: "first", startedAt: 5 },
    "both",
    undefined,
    true,
  ],
  ["after them", { active: "active", invocation: "first", startedAt: 15 }, "both", undefined, false],
  [
    "before them, and ended",
    { active: "inactive", invocation: "first", startedAt: 5 },
    "both",
    undefined,
    false,
  ],
  ["without any", { active: "active", invocation: "first", startedAt: 0 }, undefined, undefined, false],
  [
    "before a restart for them that is still to come",
    { active: "active", invocation: "first", startedAt: 15 },
    "both",
    noted,
    true,
  ],
  [
    "anew for them, on a clock that was set back",
    { active: "active", invocation: "second", startedAt: 5 },
    "both",
    noted,
    false,
  ],
  [
    "with them, before they were touched",
    { active: "active", invocation: "first", startedAt: 5 },
    "both",
    { ca: "both", before: null },
    false,
  ],
  [
    "before others came, on a clock that was ahead",
    { active: "active", invocation: "second", startedAt: 15 },
    "new",
    noted,
    true,
  ],
])("a server that was started %s", (_, run, ca, note, wanted) => {
  expect(wasStartedBefore(run, { ca, changed: 10 }, note)).toBe(wanted);
});

const hour = 3_600_000;
const directory = mkdtempSync(join(tmpdir(), "chime-trusted-"));
afterAll(() => rmSync(directory, { recursive: true }));

let run: { active: string; invocation: string; startedAt: number };
const where = { run: async () => run, ca: join(directory, "ca.crt"), note: join(directory, "note") };
const write = (ca: string) => writeFileSync(where.ca, ca);
const isOld = () => noteTrust("minio", where);

beforeEach(() => {
  rmSync(where.note, { force: true });
  run = { active: "active", invocation: "first", startedAt: Date.now() + hour };
  write("old");
});

test("a server is restarted once for a file that was written while the clock was ahead", async () => {
  run.startedAt = Date.now() - 8 * hour;
  expect([await isOld(), await isOld()]).toEqual([true, true]);
  run = { ...run, invocation: "second", startedAt: run.startedAt + 60_000 };
  expect([await isOld(), await isOld()]).toEqual([false, false]);
});

test("a server that was started while the clock was ahead does not go by a file that is written later", async () => {
  expect(await isOld()).toBe(false);
  write("both");
  // Who only asks changes nothing.
  expect([await trustsOthers(where), await trustsOthers(where)]).toEqual([true, true]);
  expect([await isOld(), await isOld(), await trustsOthers(where)]).toEqual([true, true, true]);
  run.invocation = "second";
  expect([await isOld(), await trustsOthers(where)]).toEqual([false, false]);
});

test("a file that is touched, and not changed, has no server restarted", async () => {
  run.startedAt = Date.now();
  chmodSync(where.ca, 0o644);
  run.startedAt += 1_000;
  expect(await isOld()).toBe(false);
  run.startedAt -= hour;
  chmodSync(where.ca, 0o600);
  write("old");
  expect([await isOld(), await trustsOthers(where)]).toEqual([false, false]);
});

test("a server that does not run yet will go by what is there, whatever the clock says then", async () => {
  run = { active: "inactive", invocation: "", startedAt: 0 };
  expect(await isOld()).toBe(false);
  run = { active: "active", invocation: "first", startedAt: 1 };
  expect(await isOld()).toBe(false);
});

test("a rotation does not begin while a node that is there does not say with which CAs its server was started", () => {
  const trust = { current: "b".repeat(16), used: null };
  const named = (members: MemberView[], toml = "tls = true") =>
    cannotFollow(storeContext(members, `nodes = 3\n${toml}`), members);
  expect(named([storeNode(1), storeNode(2, { trust }), storeNode(3, { trust })])).toEqual([]);
  expect(named([storeNode(1), storeNode(2), storeNode(3, { liveness: "dead" })])).toEqual(["node2"]);
  // It has yet to take the role up, and its server will be started with what is there.
  expect(named([storeNode(1), storeNode(2, { silent: true })])).toEqual([]);
  expect(named([storeNode(1), storeNode(2)], "tls = false")).toEqual([]);
});

test("a rotation says for whom a restart waits", () => {
  const trust = { current: "b".repeat(16), used: null, old: true };
  expect(restartAwaits(storeNode(2, { trust: { ...trust, awaits: ["node1", "node3"] } }))).toEndWith(
    "waiting for node1 and node3",
  );
  const awaiting = "waiting for node1: its own server is restarted first";
  expect(restartAwaits(storeNode(2, { trust: { ...trust, awaits: [], awaiting } }))).toEndWith(
    `in its turn: ${awaiting}`,
  );
  expect(restartAwaits(storeNode(2, { trust }))).toEndWith("in its turn");
});
