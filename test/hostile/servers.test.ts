import { afterAll } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEvents } from "../../src/roles/mysql/extras/binlog.ts";
import * as gtidSets from "../../src/roles/mysql/engine/gtid-set.ts";
import * as gtids from "../../src/roles/mysql/engine/mariadb-gtid.ts";
import { readProbe } from "../../src/roles/mysql/engine/mariadb.ts";
import { readMysqlProbe } from "../../src/roles/mysql/engine/mysql.ts";
import { readUnit } from "../../src/roles/mysql/guard/unit.ts";
import { clientError } from "../../src/roles/influxdb/client-error.ts";
import { parseBlocks } from "../../src/roles/influxdb/gap/read.ts";
import { multipart } from "../../src/roles/influxdb/metadata.ts";
import { keyOf } from "../../src/roles/minio/s3.ts";
import { seal, unseal } from "../../src/roles/minio/sealed.ts";
import { refusalOf, storeError, xmlTexts } from "../../src/roles/minio/store-error.ts";
import { parseStats } from "../../src/vip/balancer/stats.ts";
import { lineSplitter, parseNotification } from "../../src/vip/fifo.ts";
import { pack } from "../roles/influxdb/gap/pack.ts";
import { onslaught } from "./onslaught.ts";

/** What the servers answer that this program asks: another program may have their port, and they may be broken. */
const directory = mkdtempSync(join(tmpdir(), "chime-hostile-"));
afterAll(() => rmSync(directory, { recursive: true }));

function isOneLine(text: string): boolean {
  return text.length < 1_000 && !/\p{Cc}/u.test(text);
}

const xml = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchKey</Code><Message>The key &lt;a&#x26;b&gt; is &quot;gone&quot;</Message></Error>`;

onslaught("refusals of an object store", {
  make: (inputs) => ({
    status: inputs.pick([400, 403, 404, 500, 503]),
    body: inputs.once(2)
      ? inputs.damagedText(xml, [
          "&constructor;",
          "<Code>__proto__</Code>",
          "&#xD800;",
          "&#99999999999;",
          "<Code>",
        ])
      : inputs.damagedJson({ Code: inputs.key(), Message: "m" }),
  }),
  parse({ status, body }) {
    const bytes = Buffer.from(body);
    xmlTexts(body, "Code");
    return {
      error: storeError("minio on node1", { method: "GET", path: "/b" }, { status, body: bytes }),
      bytes,
    };
  },
  holds({ error, bytes }) {
    if (!/^minio\.[a-z_]+$/.test(error.code) || typeof error.remedy !== "string") throw new Error("no code");
    if (!isOneLine(error.message) || error.message.includes("function")) throw new Error(error.message);
    if (refusalOf(bytes) && !isOneLine(refusalOf(bytes)?.message ?? "")) throw new Error("more than a line");
  },
});

onslaught("names of objects in a list", {
  make: (inputs) => inputs.damagedText("a%2Fb+%C3%A4%25.txt", ["%", "%C3", "%ZZ", "%00"]),
  parse: keyOf,
  codes: ["minio.answer"],
});

const sealed = Buffer.from(await seal("secret", "x".repeat(40)));

onslaught("sealed answers of an object store", {
  make: (inputs) => inputs.damagedBytes(sealed),
  parse: (bytes) => unseal("secret", bytes),
  codes: ["minio.answer"],
  holds(text) {
    if (text !== "x".repeat(40)) throw new Error("it was changed and is taken");
  },
  // Its key costs 0.1 s of a core, which is what the format is for.
  fewer: 50,
  slowMs: 5_000,
});

onslaught("refusals of InfluxDB", {
  make: (inputs) => ({
    status: inputs.once(4) ? inputs.number() : inputs.pick([401, 404, 429, 500]),
    text: inputs.once(2)
      ? inputs.damagedJson({ code: "not found", message: "m" })
      : inputs.damagedJson({ error: "no such measurement" }),
  }),
  parse: ({ status, text }) =>
    clientError("influxdb on node1", { method: "GET", path: "/x" }, { status, body: Buffer.from(text) }),
  holds(error) {
    if (!/^influxdb\.[a-z_]+$/.test(error.code) || !isOneLine(error.message)) throw new Error(error.message);
  },
});

const rows = pack({
  results: [
    {
      statement_id: 0n,
      series: [
        { name: "m", tags: { a: "b" }, columns: ["time", "f"], values: [[1n, 0.5]], partial: true },
        { name: "m", columns: ["time", "g"], values: [[2n, null]] },
      ],
    },
  ],
});

onslaught("rows of InfluxDB", {
  make: (inputs) => ({
    whole: inputs.once(20)
      ? // Nested, where it is passed over.
        Buffer.concat([
          pack({ x: "" }).subarray(0, -1),
          Buffer.alloc(200_000, inputs.pick([0x91, 0x81, 0x92, 0xdd])),
        ])
      : inputs.damagedBytes(rows),
    pieces: 1 + inputs.below(50),
  }),
  async parse({ whole, pieces: count }) {
    const size = Math.ceil(whole.length / count);
    async function* pieces() {
      for (let at = 0; at < whole.length; at += size)
        yield await Promise.resolve(whole.subarray(at, at + size));
    }
    const side = { server: { address: "127.0.0.1", port: 8086, org: "chime" } };
    return Array.fromAsync(parseBlocks(side, pieces()));
  },
  codes: ["influxdb.answer", "influxdb.query"],
  holds(blocks) {
    for (const { fields, rows: some } of blocks) {
      if (some.some((row) => row.values.length !== fields.length)) throw new Error("a row of another length");
    }
  },
});

const part = '--X\r\nContent-Disposition: form-data; name="kv"\r\n\r\nbytes\r\n--X--\r\n';

onslaught("metadata of InfluxDB", {
  make: (inputs) => ({
    body: inputs.damagedText(part, ["--X", "\r\n\r\n", '"', "name="]),
    type: inputs.damagedText('multipart/mixed; boundary="X"', [";", '"', "boundary="]),
  }),
  parse: ({ body, type }) => multipart(Buffer.from(body), type),
  holds(parts, { body }) {
    for (const bytes of parts.values())
      if (bytes.length > Buffer.byteLength(body)) throw new Error("too much");
  },
});

const stats = "# pxname,svname,scur,status\nminio.read,node1,3,UP\nminio.write,node2,0,DOWN 3/20\n";

onslaught("statistics of haproxy", {
  make: (inputs) => inputs.damagedText(stats, ["__proto__,", ",", "\n", "# ", "9".repeat(18), "UP 1/2"]),
  parse: parseStats,
  codes: ["balancer.stats"],
  holds(backends) {
    for (const { service, node, sessions } of backends) {
      if (!/^[a-z][a-z0-9-]*$/.test(service) || !/^[\w.-]+$/.test(node))
        throw new Error("a name that is none");
      if (!(sessions >= 0 && sessions < 1e18)) throw new Error("a count that is none");
    }
  },
});

onslaught("words of keepalived", {
  make: (inputs) => ({
    text: inputs.damagedText('INSTANCE "mysql" MASTER 150\nINSTANCE "minio" FAULT 0\n', [
      "GROUP",
      '"',
      "STOP",
      "\n",
    ]),
    size: 1 + inputs.below(80),
  }),
  parse({ text, size }) {
    const split = lineSplitter();
    const lines: string[] = [];
    for (let at = 0; at < text.length; at += size) lines.push(...split(text.slice(at, at + size)));
    return lines.map(parseNotification);
  },
  holds(notifications) {
    for (const told of notifications) {
      if (told && !["MASTER", "BACKUP", "FAULT"].includes(told.state)) throw new Error("no state of VRRP");
      if (told && !/^[\w.-]{1,64}$/.test(told.instance)) throw new Error("no instance");
    }
  },
});

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

onslaught("positions of MySQL", {
  make: (inputs) => ({
    one: inputs.damagedText(`${uuid}:1-5:7,\n${uuid}:tag:3-9`, ["-", ":", ",", "18446744073709551615"]),
    other: inputs.damagedText(`${uuid}:2-3`),
  }),
  parse: ({ one, other }) => ({ both: gtidSets.union(one, other), extras: gtidSets.extras(one, other) }),
  errors: [TypeError],
  holds({ both, extras }, { one, other }) {
    if (gtidSets.union(both, both) !== both) throw new Error("no round trip");
    if (!gtidSets.reaches(both, one) || !gtidSets.reaches(both, other))
      throw new Error("the union lacks one");
    if (extras.length === 0 && !gtidSets.reaches(other, one)) throw new Error("extras and reaches disagree");
  },
});

onslaught("positions of MariaDB", {
  make: (inputs) => ({
    one: inputs.damagedText("0-1-5,0-2-7,1-1-3", ["-", ",", "18446744073709551615"]),
    other: inputs.damagedText("0-1-5,1-2-9"),
  }),
  parse: ({ one, other }) => ({ both: gtids.furthest(one, other), extras: gtids.extras(one, other) }),
  errors: [TypeError],
  holds({ both, extras }, { one, other }) {
    if (!gtids.reaches(both, one) || !gtids.reaches(both, other)) throw new Error("the furthest lacks one");
    if (gtids.extras(both, both).length > 0) throw new Error("it lacks itself");
    if (extras.some((gtid) => gtids.parseGtids(gtid).length !== 1)) throw new Error("no GTID");
  },
});

onslaught("what a database server answers to a probe", {
  make: (inputs) =>
    inputs.damagedJson({
      variables: { read_only: 1, enabled: 1, strict: 1, position: "0-1-5", executed: "" },
      status: [{ Variable_name: "Rpl_semi_sync_master_status", Value: "ON" }],
      replica: {
        Master_Host: "10.0.0.2",
        Source_Host: "10.0.0.2",
        Slave_IO_Running: inputs.key(),
        Replica_IO_Running: inputs.key(),
        Slave_SQL_Running: "Yes",
        Gtid_IO_Pos: "0-1-5",
        Last_SQL_Error: inputs.text(),
        Seconds_Behind_Master: 0,
      },
    }),
  parse(text) {
    let given: unknown;
    try {
      given = JSON.parse(text);
    } catch {
      return undefined;
    }
    // The client gives rows, whatever is in them.
    const { variables, status, replica } = (typeof given === "object" ? given : {}) as Record<
      string,
      unknown
    >;
    const row = (value: unknown) =>
      typeof value === "object" && value ? (value as Record<string, unknown>) : {};
    const answers = {
      variables: row(variables),
      status: Array.isArray(status) ? status.map(row) : undefined,
      replica: row(replica),
    };
    return [readProbe(answers), readMysqlProbe(answers)];
  },
  errors: [TypeError],
  holds(states) {
    for (const state of states ?? []) {
      if (!["running", "connecting", "stopped"].includes(state.replica.receiver))
        throw new Error("no receiver");
      if (state.replica.error !== null && !isOneLine(state.replica.error))
        throw new Error("more than a line");
    }
  },
});

onslaught("what systemd says of a database server", {
  make: (inputs) => inputs.damagedText("ActiveState=active\nJob=12\n", ["ActiveState=failed", "Job=0", "\n"]),
  parse: (text) => readUnit(text, true),
  holds(down) {
    if (!["starting", "startable", "stopped"].includes(down)) throw new Error("no state");
  },
});

const binlog = Buffer.concat([
  Buffer.from([0xfe, 0x62, 0x69, 0x6e]),
  ...[30, 19, 200].map((length) => {
    const event = Buffer.alloc(length, 7);
    event.writeUInt32LE(length, 9);
    return event;
  }),
]);

onslaught("binary logs", {
  make: (inputs) => inputs.damagedBytes(binlog),
  async parse(bytes) {
    const path = join(directory, "chime-bin.000001");
    writeFileSync(path, bytes);
    let last = 0;
    await readEvents(path, ({ offset, end, body }) => {
      if (offset < last || end <= offset || end > bytes.length || body.length > end - offset) {
        throw new Error("an event that is not there");
      }
      last = end;
      return true;
    });
  },
  fewer: 10,
});
