import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { mariadbBackup } from "../../src/roles/mysql/engine/mariadb-backup.ts";
import { confined } from "../../src/roles/mysql/copy/program.ts";
import { chime, verdict } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, startWriters, status, writerOf } from "./pair.ts";
import { sqlOrNothing, strayWrite } from "./sql.ts";
import { system } from "./system.ts";
import { untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;

const data = "/var/lib/mysql";

type Pair = { writer: LabNode; replica: LabNode };

let lab: Lab;
let node1: LabNode;
let node2: LabNode;

beforeAll(async () => {
  // Data with a disk of their own, and data in a directory of the root's: both have to be exchanged.
  lab = await Lab.open({
    prepared: true,
    nodes: ["node1", { name: "node2", data: { path: data, sizeMiB: 1500 } }],
  });
  node1 = lab.node("node1");
  node2 = lab.node("node2");
  await formPair(lab);
  await untilProtected(lab);
  // So much that a copy takes some seconds.
  await fill(node1, 12);
}, 400_000);
afterAll(() => lab?.close());

/** 2^n × 64 KiB of rows that do not compress. */
async function fill(node: LabNode, n: number): Promise<void> {
  await sqlOrNothing(
    node,
    `CREATE TABLE chime.bulk (id BIGINT PRIMARY KEY AUTO_INCREMENT, filler LONGBLOB, key small (id));
     INSERT INTO chime.bulk (filler) VALUES (RANDOM_BYTES(1024));
     ${"INSERT INTO chime.bulk (filler) SELECT CONCAT(filler, RANDOM_BYTES(512)) FROM chime.bulk LIMIT 4096;".repeat(n + 4)}`,
  );
}

async function purgeLogs(node: LabNode): Promise<void> {
  await sqlOrNothing(node, "FLUSH BINARY LOGS");
  const logs = (await sqlOrNothing(node, "SHOW BINARY LOGS")).split("\n");
  const last = logs.at(-1)?.split("\t")[0] ?? "";
  await sqlOrNothing(node, `PURGE BINARY LOGS TO '${last}'`);
}

/** Both servers answer the same to a count and a checksum of every table of ours. */
async function sameContents(): Promise<void> {
  await untilProtected(lab);
  const tables = await sqlOrNothing(
    node1,
    "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_schema IN ('chime', 'portal')",
  );
  const list = tables.split("\n").filter(Boolean).join(", ");
  const look = async (node: LabNode) => sqlOrNothing(node, `CHECKSUM TABLE ${list}`);
  const expected = await look(node1);
  expect(expected).not.toContain("NULL");
  await waitUntil("the same contents", 20_000, async () => (await look(node2)) === expected);
}

/** A rebuild that works. @throws Error with what was said, and what both nodes' journals say */
async function rebuilt(node: LabNode): Promise<string> {
  const { code, json, stderr } = await chime(node, ["join", "--rebuild", node.name, "--yes"]);
  if (code === 0) return stderr;
  const journal = `journalctl -o short-precise --no-pager -u chime-node -u ${system.unit} --since -60s | tail -60`;
  const told = await Promise.all([node1, node2].map(async (one) => (await one.sh(journal)).stdout));
  throw new Error(`exit ${code}: ${JSON.stringify(json)}\n${stderr}\n${told.join("\n")}`);
}

/** What the replica's agent said of the copy, for the record. */
async function told(node: LabNode): Promise<string> {
  const journal =
    "journalctl -u chime-node -o short-precise --no-pager | grep -e copy -e copied -e 'new data' | tail -25";
  return (await node.sh(journal)).stdout;
}

async function strayOn(node: LabNode): Promise<void> {
  await strayWrite(node, "CREATE DATABASE stray");
  await waitUntil("the quarantine", 30_000, async () =>
    (await status(node)).problems.some(({ code }) => code === "mysql.quarantined"),
  );
}

/** A stream as mariadb-backup makes it, of one file (xbstream: chunks of a path and a payload, the last one empty). */
function xbstream(path: string, content: string): Buffer {
  const chunk = (type: string, payload: Buffer) => {
    const head = Buffer.alloc(14);
    head.write(`XBSTCK01\0${type}`, "latin1");
    head.writeUInt32LE(path.length, 10);
    return Buffer.concat([head, Buffer.from(path), payload]);
  };
  const data = Buffer.alloc(20);
  data.writeBigUInt64LE(BigInt(content.length));
  data.writeUInt32LE(crc32(content), 16);
  return Buffer.concat([
    chunk("P", Buffer.concat([data, Buffer.from(content)])),
    chunk("E", Buffer.alloc(0)),
  ]);
}

async function untilCopying(node: LabNode, isOver = () => false): Promise<void> {
  const part = `find ${data}/.chime-copy/part -name '*.ibd' 2>/dev/null | head -1`;
  await waitUntil(
    "a copy under way",
    30_000,
    async () => isOver() || (await node.sh(part)).stdout !== "",
    20,
  );
}

describe("a node that lacks what the writer's logs no longer have", () => {
  test("comes back after its source has purged them: it is filled without a word, while the source serves", async () => {
    const writers = await startWriters(lab, { table: "late" });
    const { replica, writer } = await writerOf(lab);
    await replica.run(["systemctl", "stop", "chime-node", system.unit]);
    await writers.acknowledgedAfter(Date.now() + 1_000);
    await purgeLogs(writer);
    const from = Date.now();
    await replica.run(["systemctl", "start", "chime-node", system.unit]);
    await waitUntil("the rebuild", 30_000, async () =>
      (await status(writer)).problems.some(({ code }) => code === "mysql.rebuilding"),
    );
    await untilProtected(lab);
    const pauses = (await writers.outages(0)).filter(({ to }) => to > from);
    console.error(`longest pause of the writes: ${Math.max(...pauses.map(({ ms }) => ms))} ms`);
    await writers.stop();
    console.error(await told(replica));
    await sameContents();
    await writers.untilOn([node1, node2]);
    const codes = async () => (await status(node1)).problems.map(({ code }) => code);
    await waitUntil("nothing but what stays", 30_000, async () =>
      Bun.deepEquals(await codes(), ["mysql.no_third_voter"]),
    );
  }, 480_000);

  test.skipIf(!long)(
    "joins anew with nothing: the same",
    async () => {
      const { replica, writer } = await writerOf(lab);
      expect((await chime(replica, ["reset", "--yes"])).code).toBe(0);
      await replica.sh(`find ${data} -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +`);
      await purgeLogs(writer);
      const { token } = (await chime<{ token: string }>(writer, ["token", "create"])).json;
      const joined = await chime(replica, ["join", ...system.flags, "--role", "mysql"], {
        env: { CHIME_TOKEN: token },
      });
      expect([joined.code, joined.json.error]).toEqual([0, undefined]);
      expect(joined.stderr).toContain("the copy of");
      await sameContents();
    },
    480_000,
  );
});

describe("join --rebuild", () => {
  test("a quarantined node becomes a replica again", async () => {
    const { replica } = await writerOf(lab);
    await strayOn(replica);
    expect(await rebuilt(replica)).toMatch(/the copy of node\d: \d+ MiB of \d+ MiB \(\d+ %, \d+ MiB\/s\)/);
    expect(await sqlOrNothing(replica, "SHOW DATABASES LIKE 'stray'")).toBe("");
    expect((await replica.sh(`ls -A ${data}`)).stdout).not.toContain(".chime-copy");
    const { stdout } = await replica.run(["chime-node", "history"]);
    expect(stdout).toMatch(
      /rebuild +node\d has the data of node\d: as an operator asked for \(.* s\)\n +copy \d+ ms/,
    );
    await sameContents();
  }, 300_000);

  test("a healthy one, in its turn the other node: writes go on", async () => {
    const { replica } = await writerOf(lab);
    expect((await chime(replica, ["switchover", "--to", replica.name])).code).toBe(0);
    await untilProtected(lab);
    const { replica: other } = await writerOf(lab);
    expect(other).not.toBe(replica);
    const writers = await startWriters(lab, { table: "healthy" });
    await rebuilt(other);
    await writers.acknowledgedAfter(Date.now());
    await writers.stop();
    await sameContents();
    await writers.untilOn([node1, node2]);
  }, 300_000);

  test("is refused for another name, on the writer, without --yes, and where the disk is too small", async () => {
    // Only node2 has a disk of its own to fill.
    await chime(node1, ["switchover", "--to", "node1"]);
    await untilProtected(lab);
    const { writer, replica } = await writerOf(lab);
    expect(replica).toBe(node2);
    const inode = (node: LabNode) => node.sh(`stat -c %i ${data}/ibdata1; ls -A ${data}`);
    const before = await inode(replica);
    const rebuild = async (node: LabNode, name: string, ...more: string[]) =>
      verdict(await chime(node, ["join", "--rebuild", name, ...more]));
    expect(await rebuild(replica, writer.name, "--yes")).toEqual([3, "rebuild.other_node"]);
    expect(await rebuild(replica, "node9", "--yes")).toEqual([3, "rebuild.other_node"]);
    expect(await rebuild(writer, writer.name, "--yes")).toEqual([3, "rebuild.writer"]);
    expect((await rebuild(replica, replica.name))[0]).toBe(2);
    const free = await replica.fillDisk(data, 150 << 10);
    expect(await rebuild(replica, replica.name, "--yes")).toEqual([3, "rebuild.no_space"]);
    await free();
    expect((await inode(replica)).stdout).toBe(before.stdout);
    await untilProtected(lab);
  }, 120_000);

  test("is refused while the other node is down, and works when it is back", async () => {
    const { writer, replica } = await writerOf(lab);
    await strayOn(replica);
    await writer.powerOff();
    await waitUntil("the silence to be noticed", 30_000, async () =>
      (await status(replica)).members.some(({ name, state }) => name === writer.name && state === "dead"),
    );
    const refused = await chime(replica, ["join", "--rebuild", replica.name, "--yes"]);
    expect(verdict(refused)).toEqual([3, "rebuild.no_source"]);
    await writer.boot();
    await waitUntil("a writer", 60_000, async () =>
      Bun.deepEquals((await status(replica)).roles["mysql"]?.writable, [writer.name]),
    );
    await rebuilt(replica);
    await sameContents();
  }, 300_000);
});

describe("a stream that breaks off", () => {
  /** Begins a rebuild of a quarantined replica, breaks it, and returns what the command said. */
  async function broken(spoil: (nodes: Pair) => Promise<void>, goesOn = false) {
    const nodes = await writerOf(lab);
    const { replica } = nodes;
    // After a full disk it says for a moment that it has no room, and not that it is quarantined.
    const isStray = (await sqlOrNothing(replica, "SHOW DATABASES LIKE 'stray'")) !== "";
    if (!isStray) await strayOn(replica);
    await waitUntil("the quarantine", 60_000, () => isQuarantined(replica));
    const over = new AbortController();
    const running = rebuild(replica).finally(() => over.abort());
    for (;;) {
      await untilCopying(replica, () => over.signal.aborted);
      if (!over.signal.aborted) await spoil(nodes);
      if (!goesOn || over.signal.aborted) break;
    }
    const answer = await running;
    await heal(nodes);
    expect(answer.json.error?.remedy).toBeTruthy();
    expect(await sqlOrNothing(replica, "SHOW DATABASES LIKE 'stray'")).toBe("stray");
    await waitUntil("the rest to be gone", 20_000, async () => (await leftOf(replica)) === "");
    return verdict(answer);
  }
  const rebuild = (node: LabNode) => chime(node, ["join", "--rebuild", node.name, "--yes"]);
  const killProgram = async (node: LabNode, half: "offer" | "fetch") => {
    // MySQL's server gives the copy itself.
    if (half === "offer" && system.engine === "mysql") return endClone(node);
    const units = `systemctl list-units --plain --no-legend 'chime-node-${half}-*' | cut -d' ' -f1`;
    await node.sh(`${units} | xargs -r systemctl kill --signal=KILL 2>/dev/null || :`);
  };
  const endClone = async (node: LabNode) => {
    const cloning = "SELECT id FROM performance_schema.processlist WHERE user = 'chime_clone'";
    const ids = (await sqlOrNothing(node, cloning)).split("\n").filter(Boolean);
    for (const id of ids) await sqlOrNothing(node, `KILL ${id}`);
  };
  const heal = async ({ replica }: Pair) => {
    await replica.heal();
    await replica.sh(`rm -f ${data}/.lab-ballast*`);
  };
  const leftOf = async (node: LabNode) =>
    (await node.sh(`ls -A ${data}/.chime-copy 2>/dev/null || :`)).stdout;
  const isQuarantined = async (node: LabNode) =>
    (await status(node)).problems.some(({ code }) => code === "mysql.quarantined");

  beforeAll(async () => {
    // Only node2 has a disk of its own to fill.
    await chime(node1, ["switchover", "--to", "node1"]);
    await untilProtected(lab);
  }, 300_000);

  test.skipIf(!long)(
    "one of its programs is killed: it begins anew by itself",
    async () => {
      const { writer, replica } = await writerOf(lab);
      for (const [node, half] of [
        [writer, "offer"],
        [replica, "fetch"],
      ] as const) {
        await strayOn(replica);
        const running = rebuilt(replica);
        await untilCopying(replica);
        await killProgram(node, half);
        await running;
        expect(await sqlOrNothing(replica, "SHOW DATABASES LIKE 'stray'")).toBe("");
      }
      expect((await replica.sh("journalctl -u chime-node | grep -c 'begins anew'")).stdout).toMatch(/^[2-9]/);
      await sameContents();
    },
    300_000,
  );

  test("killed again and again, a full disk, a cut network: said, and the old data stay", async () => {
    expect((await writerOf(lab)).replica).toBe(node2);
    const failed = [1, "mysql.copy_failed"] as [number, string];
    expect(await broken(({ writer }) => killProgram(writer, "offer"), true)).toEqual(failed);
    expect(await broken(({ replica }) => killProgram(replica, "fetch"), true)).toEqual(failed);
    const full = await broken(async ({ replica }) => void (await replica.fillDisk(data, 30 << 10)));
    expect(full).toEqual([1, "rebuild.no_space"]);
    const [code, name] = await broken(({ replica }) => replica.cutPort("silent"));
    // MariaDB's copy goes by the agents; MySQL's does not, and its agent finds that the source is silent.
    expect([code, name?.split(".")[0]]).toEqual([1, system.engine === "mysql" ? "mysql" : "peer"]);
  }, 480_000);

  test("the source hands over: said, and the node that writes now keeps its data", async () => {
    const { replica, writer } = await writerOf(lab);
    await waitUntil("the quarantine", 30_000, () => isQuarantined(replica));
    await rebuilt(replica);
    await untilProtected(lab);
    const writers = await startWriters(lab, { table: "handed" });
    const running = chime(replica, ["join", "--rebuild", replica.name, "--yes"]);
    await untilCopying(replica);
    expect((await chime(replica, ["switchover", "--to", replica.name])).code).toBe(0);
    expect(verdict(await running)).toEqual([1, "mysql.copy_failed"]);
    await untilProtected(lab);
    expect((await writerOf(lab)).writer).toBe(replica);
    await writers.stop();
    await writers.untilOn([writer, replica]);
    expect((await status(replica)).problems.map(({ code }) => code)).not.toContain("mysql.rebuild_failed");
  }, 300_000);

  test.skipIf(system.engine !== "mariadb")(
    "what is unpacked lands in the copy's own directory or nowhere",
    async () => {
      const { replica } = await writerOf(lab);
      const part = `${data}/.chime-copy/part`;
      await replica.sh(`install -d -o mysql -g mysql -m 700 ${data}/.chime-copy ${part}`);
      const places = { backup: "", unpack: "/usr/bin/mbstream", socket: "", data, user: "mysql" };
      const inside = (argv: readonly string[]) =>
        confined({ half: "fetch", user: "mysql", argv, writes: part }).argv;
      const evil = ["../../evil", "/var/lib/mysql/evil", "../evil", "good"];
      for (const name of evil) {
        await replica.put("/root/stream", xbstream(name, "content"));
        await replica.run(
          ["sh", "-c", 'exec "$@" </root/stream', "sh", ...inside(mariadbBackup.unpack(places, part))],
          { check: false },
        );
      }
      // Also where the program would not mind: the data directory is its user's own.
      for (const path of [`${data}/evil`, "/tmp/evil"]) {
        await replica.run(inside(["touch", path]), { check: false });
      }
      await replica.run(inside(["touch", `${part}/fine`]));
      const found = await replica.sh(
        `find / ${data} -xdev -name evil 2>/dev/null; ls ${part}; rm -rf ${data}/.chime-copy`,
      );
      expect(found.stdout.trim()).toBe("fine\ngood");
    },
    60_000,
  );
});

describe("interrupted", () => {
  test("the agent killed, then the whole node, while it copies: the old data are there, and the next run works", async () => {
    const { replica } = await writerOf(lab);
    await strayOn(replica);
    const begin = ["join", "--rebuild", replica.name, "--yes", "--no-wait"];
    expect((await chime(replica, begin)).code).toBe(0);
    await untilCopying(replica);
    await replica.kill("chime-node.service");
    await waitUntil("the rest to be gone", 20_000, async () => {
      const left = await replica.sh(`ls -A ${data}/.chime-copy 2>/dev/null || :`);
      return (
        left.stdout === "" && (await status(replica)).problems?.some((p) => p.code === "mysql.quarantined")
      );
    });
    expect(await sqlOrNothing(replica, "SHOW DATABASES LIKE 'stray'")).toBe("stray");
    expect((await chime(replica, begin)).code).toBe(0);
    await untilCopying(replica);
    await replica.powerOff();
    await replica.boot();
    await waitUntil("the quarantine again", 30_000, async () =>
      (await status(replica)).problems?.some((p) => p.code === "mysql.quarantined"),
    );
    await rebuilt(replica);
    await sameContents();
  }, 480_000);

  test("the source's server dies while it is copied: it begins anew when that is back, or says why not", async () => {
    const { replica, writer } = await writerOf(lab);
    await strayOn(replica);
    const running = chime(replica, ["join", "--rebuild", replica.name, "--yes"]);
    await untilCopying(replica);
    await writer.kill(system.unit);
    const { code, json } = await running;
    await waitUntil("a writer", 60_000, async () =>
      Bun.deepEquals((await status(replica)).roles["mysql"]?.writable, [writer.name]),
    );
    if (code !== 0) {
      expect([code, json.error?.remedy]).toEqual([1, expect.stringContaining("chime-node")]);
      await rebuilt(replica);
    }
    await sameContents();
  }, 300_000);

  for (const stage of ["ready", "clear", "fill"]) {
    test(`killed when the copy was at "${stage}": the agent finishes, or begins anew`, async () => {
      const { replica } = await writerOf(lab);
      await replica.sh(`systemctl stop chime-node ${system.unit}
          cd ${data}; mkdir -p .chime-copy/${stage}
          mv $(ls -A | grep -v -e .chime-copy -e chime-node.json -e lost+found | tail -n +4) .chime-copy/${stage}
          [ ${stage} != ready ] || mv .chime-copy/ready/* .
          chown -R mysql: .chime-copy
          # Half moved: what is first in the list stands in its place already, or is an old file.
          [ ${stage} != clear ] || cp -a --parents $(ls -A | grep -v -e chime-node.json -e lost+found -e .chime-copy) .chime-copy/clear`);
      if (stage !== "ready")
        expect((await replica.run(["systemctl", "start", system.unit], { check: false })).code).not.toBe(0);
      await replica.run(["systemctl", "start", "chime-node"]);
      if (stage === "ready") await replica.run(["systemctl", "start", system.unit]);
      await waitUntil(
        "the copy to be in place",
        30_000,
        async () => !(await replica.sh(`ls -A ${data}`)).stdout.includes(".chime-copy"),
      );
      await sameContents();
    }, 300_000);
  }
});
