import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed } from "../../../src/core/errors.ts";
import { openLedger } from "../../../src/plan/ledger.ts";
import { apply, plan } from "../../../src/plan/run.ts";
import { buckets, ensureBuckets } from "../../../src/roles/influxdb/bucket-resource.ts";
import { StandInServer } from "../../lab/stand-in-influxdb.ts";
import { twinContext, twinNode } from "./context.ts";

const address = "127.86.2.1";

let directory: string;
let server: StandInServer | undefined;
beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), "chime-buckets-"))));
afterEach(async () => {
  await server?.stop();
  await rm(directory, { recursive: true });
});

const ledger = () => openLedger(join(directory, "ledger"));
const wanted = (toml: string) => buckets(twinContext([{ ...twinNode(1), address }], toml), []);
const signal = new AbortController().signal;

test("a server that was just started is waited for, and gets the buckets that it lacks", async () => {
  const lines: string[] = [];
  const progress = (line: string) => {
    lines.push(line);
    if (line.startsWith("waiting")) server ??= StandInServer.start(address, 8086);
  };
  const { failed, applied } = await apply([wanted('buckets = ["traces:30d"]')], await ledger(), {
    signal,
    progress,
  });
  expect(failed.map(({ error }) => error.message)).toEqual([]);
  expect(applied).toEqual(["influxdb:buckets"]);
  expect(lines).toContain("waiting for the server to answer");
  expect(server?.buckets).toContain("traces");
});

test.each([
  ["is told", undefined],
  ["does not run", failed("role.not_here", "no guard")],
  ["is of an older version", failed("guard.unknown_command", "what is that")],
])("before a bucket is made that somebody may have deleted the guard %s", async (_, refusal) => {
  const store = (server = StandInServer.start(address, 8086));
  const asked: string[] = [];
  const { failed: not } = await apply([wanted('buckets = ["traces:30d"]')], await ledger(), {
    signal,
    progress: () => {},
    ask(role, method) {
      expect(store.buckets).not.toContain("traces");
      asked.push(`${role} ${method}`);
      return refusal ? Promise.reject(refusal) : Promise.resolve(null);
    },
  });
  expect(not).toEqual([]);
  expect(asked).toEqual(["influxdb making"]);
  expect(store.buckets).toContain("traces");
});

test("what the guard could not note is not made: nobody would compare it", async () => {
  const store = (server = StandInServer.start(address, 8086));
  const ask = () => Promise.reject(failed("agent.not_running", "no agent"));
  const outcome = await apply([wanted('buckets = ["traces:30d"]')], await ledger(), {
    signal,
    progress: () => {},
    ask,
  });
  expect(outcome.failed).toMatchObject([{ error: { code: "agent.not_running" } }]);
  expect(store.buckets).not.toContain("traces");
});

test("a server without any bucket gets its own again", async () => {
  const store = (server = StandInServer.start(address, 8086));
  store.buckets.length = 0;
  await ensureBuckets({ address, port: 8086, org: "chime" }, [], { timeoutMs: 5_000 });
  expect(store.buckets).toEqual(["chime-node"]);
});

test.each([
  ["30d", 720, 168],
  ["2d", 48, 24],
  ["1h", 1, 1],
])(
  "points are kept for %s, whose shards are a week long: those become shorter where they have to",
  async (retention, hours, shard) => {
    const store = (server = StandInServer.start(address, 8086));
    const { failed: not } = await apply([wanted(`retention = "${retention}"`)], await ledger(), {
      signal,
      progress: () => {},
      ask: () => Promise.resolve(null),
    });
    expect(not.map(({ error }) => error.message)).toEqual([]);
    expect(store.rules.get("chime")).toMatchObject({
      everySeconds: hours * 3_600,
      shardGroupDurationSeconds: shard * 3_600,
    });
  },
);

test.each<[string, string, string, string, RegExp]>([
  [
    "one that is not there is created",
    'buckets = ["traces:30d"]',
    "create",
    "none",
    /^\+ the bucket traces, which keeps points for 720 h$/,
  ],
  [
    "one that is kept for a shorter time is updated, at the price of data",
    'retention = "7d"',
    "update",
    "data",
    /chime keeps points for ever → for 168 h: older ones are deleted for good$/,
  ],
])("%s", async (_, toml, action, impact, diff) => {
  server = StandInServer.start(address, 8086);
  expect(await plan([wanted(toml)], await ledger())).toMatchObject([
    { action, impact, diff: expect.stringMatching(diff) },
  ]);
});
