import { expect, test } from "bun:test";
import type { Check } from "../../src/host/checks.ts";
import type { Facts } from "../../src/host/facts.ts";
import { hostChecks, type Machine } from "../../src/host/preflight-host.ts";
import { requirePassed, runChecks } from "../../src/host/preflight.ts";
import { failed } from "../../src/core/errors.ts";
import { caught } from "../cli/fake.ts";
import { sampleFacts as facts } from "../samples.ts";

const GiB = 2 ** 30;

const machine: Machine = {
  uid: () => 0,
  whyNotWritable: async () => undefined,
  freeBytes: async () => 20 * GiB,
  listenerOn: async () => undefined,
  lockHolder: async () => undefined,
};

async function findings(changed: Partial<Facts>, asked: Partial<Machine> = {}) {
  const checks = hostChecks(
    { facts: { ...facts, ...changed }, supported: ["debian-12"] },
    { ...machine, ...asked },
  );
  const report = await runChecks(checks);
  return report.checks.filter(({ result }) => result !== "ok").map((c) => [c.name, c.result, c.message]);
}

test("a machine as it should be has no finding", async () => {
  expect(await findings({})).toEqual([]);
});

const ours = { pid: 7, program: "chime-node", binary: "/usr/local/bin/chime-node (deleted)" };
const other = { pid: 7, program: "nginx", binary: "/usr/sbin/nginx" };

test.each([
  ["root", "error", "this must be run as root", {}, { uid: () => 1000 }],
  ["systemd", "error", "systemd does not run as init here", { init: "other" }, {}],
  [
    "system",
    "error",
    "Fedora 41 is not supported",
    { os: { ...facts.os, id: "fedora", versionId: "41", name: "Fedora 41" } },
    {},
  ],
  ["clock", "warning", "the clock is not synchronized", { clockSynchronized: false }, {}],
  [
    "default-route",
    "warning",
    "there is no default route: packages must come from a repository in this network",
    { defaultRoute: null },
    {},
  ],
  ["disk-space", "error", "/var/lib has 512 MiB free", {}, { freeBytes: async () => GiB / 2 }],
  ["disk-space", "warning", "/var/lib has 2048 MiB free", {}, { freeBytes: async () => 2 * GiB }],
  ["memory", "warning", "this machine has 512 MiB of memory", { memoryBytes: GiB / 2 }, {}],
  [
    "port.8820",
    "error",
    "TCP port 8820, the agent's, is taken by nginx (pid 7)",
    {},
    { listenerOn: async (_port, protocol) => (protocol === "tcp" ? other : undefined) },
  ],
  [
    "port.8820",
    "error",
    "TCP port 8820, the agent's, is taken by another process",
    {},
    { listenerOn: async (_port, protocol) => (protocol === "tcp" ? "unknown" : undefined) },
  ],
  [
    "port.8820-udp",
    "error",
    "UDP port 8820, the agent's, is taken by nginx (pid 7)",
    {},
    { listenerOn: async (_port, protocol) => (protocol === "udp" ? other : undefined) },
  ],
  [
    "package-lock",
    "warning",
    "the package system is locked by apt-get (pid 9)",
    {},
    { lockHolder: async () => "apt-get (pid 9)" },
  ],
] as [string, string, string, Partial<Facts>, Partial<Machine>][])(
  "%s: %s, %s",
  async (name, result, message, changed, asked) => {
    expect(await findings(changed, asked)).toEqual([[name, result, message]]);
  },
);

test("our own agent may have its port, after an upgrade, too", async () => {
  expect(await findings({}, { listenerOn: async () => ours })).toEqual([]);
});

test("a clock of which nobody can tell is not warned about", async () => {
  expect(await findings({ clockSynchronized: null })).toEqual([]);
});

const readOnlyEtc = async (path: string) => (path === "/etc" ? "its file system is read-only" : undefined);

test("a read-only /etc is found by asking, without writing", async () => {
  expect(await findings({}, { whyNotWritable: readOnlyEtc })).toEqual([
    ["writable.etc", "error", "/etc cannot be written to: its file system is read-only"],
  ]);
});

const bad: Check = {
  name: "mysql.port",
  run: async () => ({ severity: "error", message: "port 3306 is taken", remedy: "stop it" }),
};
const fine: Check = { name: "root", run: async () => undefined };
const broken: Check = {
  name: "vip.in-use",
  run: async () => {
    throw failed("net.down", "no interface is up");
  },
};

test("an error that is ignored by name is a warning", async () => {
  const report = await runChecks([bad, fine], ["mysql.port"]);
  expect(report).toEqual({
    ok: true,
    checks: [
      { name: "mysql.port", result: "warning", message: "port 3306 is taken (ignored)", remedy: "stop it" },
      { name: "root", result: "ok", message: "", remedy: "" },
    ],
  });
  requirePassed(report);
});

test("a name that no check has is wrong usage, so that a typo ignores nothing", async () => {
  expect(await caught(runChecks([bad, fine], ["mysql.prot"]))).toMatchObject({
    code: "usage.unknown_check",
    exit: 2,
    remedy: "did you mean mysql.port?",
  });
});

test("a check of a later run may be ignored already", async () => {
  expect((await runChecks([fine], ["vip.in-use"], ["vip.in-use"])).ok).toBe(true);
});

test("a check that breaks is an error, and the others still run", async () => {
  const report = await runChecks([broken, fine]);
  expect(report.ok).toBe(false);
  expect(report.checks.map(({ name, result }) => [name, result])).toEqual([
    ["vip.in-use", "error"],
    ["root", "ok"],
  ]);
  expect(report.checks[0]?.message).toBe("could not be checked: no interface is up");
});

test("a command stops at errors with exit 3 and tells them all", async () => {
  const one = await runChecks([bad, fine]);
  expect(() => requirePassed(one)).toThrow(
    expect.objectContaining({
      code: "preflight.failed",
      exit: 3,
      message: "mysql.port: port 3306 is taken",
      remedy: "stop it",
    }),
  );
  const two = await runChecks([bad, broken]);
  expect(() => requirePassed(two)).toThrow(
    "2 checks of this machine failed, nothing was touched\n  mysql.port: port",
  );
});

test("checks run side by side, but not all at once", async () => {
  let running = 0;
  let most = 0;
  const checks = Array.from({ length: 30 }, (_, i): Check => ({
    name: `check-${i}`,
    run: async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return undefined;
    },
  }));
  expect((await runChecks(checks)).checks.map(({ name }) => name)).toEqual(checks.map(({ name }) => name));
  expect(most).toBe(8);
});

test("a system that is not supported is told which is the nearest", async () => {
  const os = { ...facts.os, id: "ubuntu", versionId: "24.04", name: "Ubuntu 24.04.1 LTS" };
  const report = await runChecks(hostChecks({ facts: { ...facts, os }, supported: ["debian-12"] }, machine));
  expect(report.checks.find(({ name }) => name === "system")).toMatchObject({
    message: "Ubuntu 24.04.1 LTS is not supported",
    remedy: "use Debian 12, the nearest of debian-12",
  });
});
