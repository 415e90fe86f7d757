import { afterAll, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { History } from "../../src/agent/history.ts";
import { Maintenance } from "../../src/agent/maintenance.ts";
import { parseArgs } from "../../src/cli/parse.ts";
import { parseMoment } from "../../src/cli/moment.ts";
import { parseDuration } from "../../src/cli/duration.ts";
import { loadIdentity } from "../../src/cluster/identity.ts";
import { splitAddress } from "../../src/cluster/join.ts";
import { loadSecrets, saveSecrets } from "../../src/cluster/secrets.ts";
import { fileStore } from "../../src/cluster/store.ts";
import { MemoryFile } from "../../src/cluster/vote/memory.ts";
import { systemClock } from "../../src/core/clock.ts";
import { ChimeError } from "../../src/core/errors.ts";
import { parseGiven } from "../../src/host/disks/record.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { readMarker } from "../../src/roles/marker.ts";
import { keptTokens } from "../../src/roles/influxdb/tokens.ts";
import { buildToml } from "../../src/spec/build.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { onslaught } from "./onslaught.ts";

/** What an operator, or a copy of a file, gives; and what is kept on this node, which a fallen disk may give back otherwise. */
const directory = mkdtempSync(join(tmpdir(), "chime-hostile-"));
afterAll(() => rmSync(directory, { recursive: true }));

const toml = `[cluster]
name = "x1"
domain = 'example.org' # names
packages = "os"
vrid_base = 51
[failover]
policy = "safe"
[roles.mysql]
topology = "dual-master"
engine = """mariadb"""
vip = "10.0.0.9/24"
databases = [ "one",
  "two-2", ]
[roles.influxdb]
vip = "10.0.0.10"
org = "chime"
buckets = ["traces:30d"]
[roles.minio]
"vip" = "10.0.0.11"
disks_per_node = 3
`;

const tomlWords = [
  "[[",
  "]]",
  '"""',
  "'''",
  "\n[roles]\n",
  "__proto__.x = 1\n",
  '"\\u12"',
  '"\\U0010FFFF"',
  "1979-05-27T07:32:00Z",
  "0x7fffffffffffffff",
  "inf",
  "= { a = { b = [",
  "a.b.c.d = 1\n",
  "\r\n",
  "[".repeat(400),
  "{a=".repeat(300),
];

test("the sample is a spec, so that changes of it are near misses", () => void parseSpec(toml, "f"));

onslaught("cluster.toml", {
  make: (inputs) => inputs.damagedText(toml, tomlWords),
  parse(text) {
    try {
      return parseSpec(text, "f");
    } catch (error) {
      if (error instanceof ChimeError) checkComplaint(error.message, text);
      throw error;
    }
  },
  codes: ["spec.syntax", "spec.invalid", "spec.too_large"],
  holds(spec) {
    for (const { vip } of Object.values(spec.roles)) {
      if (!/^\d+\.\d+\.\d+\.\d+$/.test(vip.address)) throw new Error("a VIP that is none");
    }
    if (!/^[a-z0-9.-]+$/.test(spec.cluster.domain)) throw new Error("a domain that is none");
  },
});

/** Throws where an error about a file does not say where, or is none to be read. */
function checkComplaint(message: string, text: string): void {
  const [, line, column] = /^f:(\d+):(\d+): /.exec(message) ?? [];
  const shown = text.split("\n")[Number(line) - 1];
  if (shown === undefined || Number(column) > shown.length + 1) throw new Error("the place is not there");
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000B-\u001F\u007F]/.test(message)) throw new Error("it drives the terminal");
  if (message.length > 20_000) throw new Error("nobody reads all that");
}

onslaught("--set and --vip", {
  make: (inputs) => ({
    vips: Array.from({ length: inputs.below(3) }, () => inputs.damagedText("mysql=10.0.0.9")),
    sets: Array.from({ length: inputs.below(4) }, () =>
      inputs.damagedText(
        inputs.pick([
          "roles.mysql.databases=one,two",
          "cluster.vrid_base=51",
          "failover.policy=safe",
          "cluster.domain=a.b",
        ]),
        ["=", ".", "constructor.x=1", "__proto__.vip=10.0.0.1"],
      ),
    ),
    ...(inputs.once(3) && { name: inputs.text(12) }),
  }),
  parse: (input) => buildToml(input),
  codes: ["usage.bad_value", "usage.unknown_key"],
  // What it writes is what was meant: nothing of a value becomes another key.
  holds: (text) => void parseSpec(text, "f"),
});

onslaught("flags of the command line", {
  make: (inputs) =>
    Array.from({ length: inputs.below(6) }, () =>
      inputs.once(2)
        ? inputs.text(8)
        : inputs.damagedText(inputs.pick(["--role=x", "--yes", "--ttl", "24h", "--uses=7", "--"])),
    ),
  parse: (argv) =>
    parseArgs(
      "x",
      {
        args: {
          role: { type: "words", hint: "ROLE", summary: "" },
          ttl: { type: "duration", summary: "" },
          uses: { type: "count", hint: "N", summary: "" },
        },
        example: "",
      },
      argv,
    ),
  codes: [
    "usage.unknown_flag",
    "usage.missing_value",
    "usage.unexpected_value",
    "usage.repeated_flag",
    "usage.bad_value",
    "usage.missing_argument",
    "usage.unexpected_argument",
  ],
});

onslaught("moments, durations and addresses as somebody types them", {
  make: (inputs) =>
    inputs.damagedText(inputs.pick(["2026-11-22T08:00:00Z", "90m", "[fe80::1]:8820", "10.0.0.1:99999"])),
  parse(text) {
    parseDuration(text);
    splitAddress(text);
    return parseMoment("--from", text, 0);
  },
  codes: ["usage.time"],
  holds(ms) {
    if (!Number.isFinite(ms)) throw new Error("no moment");
  },
});

const path = (name: string): string => join(directory, name);

/** A file as it may be found. */
function kept(name: string, text: string): string {
  writeFileSync(path(name), text);
  return path(name);
}

onslaught("secrets.toml", {
  make: (inputs) =>
    inputs.damagedText('[mysql]\nreplication = "abcdefgh"\nadministrator_id = "1.x"\n', tomlWords),
  parse: (text) => loadSecrets(kept("secrets.toml", text)),
  codes: ["secrets.unreadable"],
  async holds(secrets) {
    await saveSecrets(path("again.toml"), secrets);
    if (!Bun.deepEquals(await loadSecrets(path("again.toml")), secrets)) throw new Error("no round trip");
  },
  fewer: 5,
});

const identity = {
  cluster: { name: "chime", id: "a1" },
  self: { name: "node1", index: 1, address: "10.0.0.1" },
};

onslaught("identity.json", {
  make: (inputs) => inputs.damagedJson(identity),
  parse(text) {
    kept("identity.json", text);
    return loadIdentity(directory);
  },
  codes: ["identity.damaged"],
  holds(read) {
    if (!read || !/^[a-z0-9-]+$/.test(read.self.name)) throw new Error("no name");
  },
  fewer: 5,
});

onslaught("cluster.json", {
  make: (inputs) =>
    inputs.damagedJson({ incarnation: 3, state: { admissions: [], records: [], tokens: [], spec: null } }),
  parse: (text) => fileStore(kept("cluster.json", text)).load(),
  codes: ["state.damaged"],
  holds(stored) {
    if (!Number.isSafeInteger(stored?.incarnation)) throw new Error("no incarnation");
  },
  fewer: 5,
});

onslaught("term.json", {
  make: (inputs) =>
    inputs.damagedJson({
      term: { term: 4, writer: "a", in_sync: ["a"], voters: ["a", "b"], old_voters: [] },
      proven: "x",
    }),
  parse(text) {
    kept("term.json", text);
    return new MemoryFile(directory).load();
  },
  // A forgotten vote could make two writers, so the agent does not start; its journal names the file.
  codes: ["vote.damaged"],
  holds({ term }) {
    if (term && !(term.term + 1 > term.term)) throw new Error("no term can follow");
  },
  fewer: 5,
});

const event = {
  at: "2026-11-22T00:00:00Z",
  node: "n",
  role: null,
  kind: "drill",
  message: "m",
  seconds: 1,
  steps: [{ do: "x", ms: 1 }],
};

onslaught("history.jsonl", {
  make: (inputs) => `${JSON.stringify(event)}\n${inputs.damagedJson(event)}\n${inputs.text()}`,
  parse: (text) => History.load(kept("history.jsonl", text), "n", systemClock),
  holds(history) {
    if (history.events.some(({ at }) => at === "")) throw new Error("no moment");
  },
  fewer: 5,
});

onslaught("the marker of maintenance", {
  make: (inputs) => inputs.damagedJson({ since: "2026-11-22T00:00:00Z" }),
  parse: (text) => Maintenance.load(kept("maintenance.json", text)),
  fewer: 5,
});

const noted = { op: "before", id: "file:/etc/x", before: { was: { type: "absent" }, directories: [] } };

onslaught("the ledger", {
  make: (inputs) => `${JSON.stringify(noted)}\n${inputs.damagedJson(noted)}\n`,
  parse: (text) => openLedger(kept("ledger.jsonl", text)),
  codes: ["ledger.corrupt"],
  fewer: 5,
});

onslaught("the marker of data", {
  make: (inputs) => inputs.damagedJson({ cluster: "a", clusterName: "b", node: "c" }),
  parse(text) {
    kept("chime-node.json", text);
    return readMarker(directory);
  },
  holds(marker) {
    if (marker && (marker.cluster.length > 100 || marker.node.length > 100)) throw new Error("no name");
  },
  fewer: 5,
});

onslaught("disks that were given", {
  make: (inputs) =>
    inputs.damagedJson({
      disks: [
        {
          label: "minio-1",
          uuid: "00000000-0000-0000-0000-000000000000",
          at: "/srv/minio/1",
          identity: {
            name: "/dev/disk/by-id/wwn-0x5",
            model: null,
            serial: null,
            wwn: "0x5",
            size: 1,
            state: "1",
            boot: "b",
          },
        },
      ],
    }),
  parse: (text) => parseGiven(text, "disks.json"),
  codes: ["disks.corrupt"],
  holds(disks) {
    if (disks.some(({ at }) => at.includes(".."))) throw new Error("it leads elsewhere");
  },
});

onslaught("kept tokens of InfluxDB", {
  make: (inputs) => inputs.damagedJson({ read: "r".repeat(20), write: "w".repeat(20) }),
  parse: (text) => keptTokens(kept("tokens.json", text)),
  holds(tokens) {
    if (tokens && !v.is(v.pipe(v.string(), v.minLength(1)), tokens.read)) throw new Error("no token");
  },
  fewer: 5,
});
