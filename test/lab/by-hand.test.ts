import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import type { Identity } from "../../src/cluster/types.ts";
import { certify, certifyNode, publicKeyOf } from "../../src/cluster/pki.ts";
import { chime } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, startWriters, status, vip, writerOf } from "./pair.ts";
import { sql, sqlOrNothing, strayWrite } from "./sql.ts";
import { system } from "./system.ts";
import { byItselfMs, nothingIsMissing, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

const { words } = system;
const long = process.env["CHIME_LONG"] !== undefined;

/** What people and broken parts do to a pair that serves: put back, or reported, within seconds. */
let lab: Lab;
let writers: Writers;
beforeAll(async () => {
  const data = { path: "/var/lib/mysql", sizeMiB: 768 };
  lab = await Lab.open({
    prepared: true,
    nodes: [
      { name: "node1", data },
      { name: "node2", data },
    ],
  });
  await formPair(lab);
  await untilProtected(lab);
  writers = await startWriters(lab, { pauseMs: 5 });
}, 400_000);
afterAll(() => lab?.close());

async function backTo(node: LabNode, what: string, query: string, wanted: string): Promise<void> {
  const at = Date.now();
  await waitUntil(what, byItselfMs, async () => (await sql(node, query).catch(() => "")) === wanted, 50);
  console.error(`${what}: ${Date.now() - at} ms`);
}

async function reported(node: LabNode, code: string, withinMs = byItselfMs): Promise<string> {
  const at = Date.now();
  let message = "";
  const says = async () => {
    const found = (await status(node)).problems.find((problem) => problem.code === code);
    message = found?.message ?? "";
    return found !== undefined;
  };
  await waitUntil(`status to say ${code}`, withinMs, says, 100);
  console.error(`${code}: ${Date.now() - at} ms: ${message}`);
  return message;
}

/** The other one may hang, and take no writes, for some seconds before it says so. */
async function untilWriter(node: LabNode): Promise<void> {
  const alone = async () => (await status(node)).roles["mysql"]?.writable.join() === node.name;
  await waitUntil(`${node.name} alone to write`, 30_000, alone, 100);
}

/** Nobody puts anything back meanwhile: systemd would kill an agent that stands still, and start another one. */
async function withAgentsStill(nodes: readonly LabNode[], meanwhile: () => Promise<void>): Promise<void> {
  const unit = "chime-node.service";
  try {
    for (const node of nodes) {
      await node.run(["systemctl", "service-watchdogs", "no"]);
      await node.pause(unit);
    }
    await meanwhile();
  } finally {
    for (const node of nodes) {
      await node.resume(unit).catch(() => undefined);
      await node.run(["systemctl", "service-watchdogs", "yes"], { check: false });
    }
  }
}

/** What happens to a node's files while its agent does not look. */
async function withAgentStopped(node: LabNode, meanwhile: () => Promise<void>): Promise<void> {
  await node.run(["systemctl", "stop", "chime-node"]);
  try {
    await meanwhile();
  } finally {
    await node.run(["systemctl", "start", "chime-node"]);
  }
}

describe("replication broken by hand is put back", () => {
  test("STOP REPLICA", async () => {
    const { replica } = await writerOf(lab);
    await sql(replica, words.stop);
    await backTo(replica, "both halves are back", words.running, "2");
    await untilProtected(lab);
  }, 120_000);

  test("read-only switched off on the replica", async () => {
    const { replica } = await writerOf(lab);
    // It may be over before the client has its answer: whoever writes here loses the connection.
    const off = [system.client, "-e", "SET GLOBAL read_only = OFF"];
    await replica.run(off, { check: false });
    await backTo(replica, "read-only is back", "SELECT @@read_only", "1");
    await untilProtected(lab);
  }, 120_000);

  test("semi-sync switched off on the writer", async () => {
    const { writer } = await writerOf(lab);
    await sql(writer, `SET GLOBAL ${words.source}_enabled = OFF`);
    await backTo(writer, "semi-sync is back", `SELECT @@${words.source}_enabled`, "1");
    await untilProtected(lab);
  }, 120_000);

  test("semi-sync switched off on the replica", async () => {
    const { replica } = await writerOf(lab);
    await sql(replica, `SET GLOBAL ${words.replica}_enabled = OFF; ${words.stop}; ${words.start}`);
    await backTo(replica, "semi-sync is back", `SELECT @@${words.replica}_enabled`, "1");
    await untilProtected(lab);
    await writers.acknowledgedAfter(Date.now());
  }, 120_000);

  test.skipIf(system.engine !== "mariadb")(
    "what the replica got without acknowledging it, and never will: commits wait for that no longer than seconds (MariaDB; MySQL's way out is in returning.test)",
    async () => {
      const { writer, replica } = await writerOf(lab);
      const many = await startWriters(lab, { connections: 8, table: "unheard" });
      const position = async () => [
        await sql(
          writer,
          "SELECT @@gtid_binlog_pos, (SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%semi-sync ACK%') > 0",
        ),
        `${await sql(replica, "SELECT @@gtid_binlog_pos")}\t1`,
      ];
      try {
        await withAgentsStill(lab.nodes, async () => {
          await sql(replica, `SET GLOBAL ${words.replica}_enabled = OFF; ${words.stop}; ${words.start}`);
          // All that waits has to arrive first: two groups of commits are all that MariaDB begins.
          let seen: string[] = [];
          const allWait = async () => {
            const [before] = seen;
            seen = await position();
            return seen[0] === before && seen[0] === seen[1];
          };
          await waitUntil("all to wait, and to be there", 30_000, allWait, 100).catch((error: Error) => {
            throw new Error(`${error.message}: ${seen.join(" | ")}`);
          });
          await sql(replica, `${words.stop}; SET GLOBAL ${words.replica}_enabled = ON; ${words.start}`);
        });
        const at = Date.now();
        const row = await many.acknowledgedAfter(at);
        console.error(`acknowledged again after ${row.at - at} ms`);
      } finally {
        await many.stop();
      }
      await nothingIsMissing(lab, many);
      await writers.acknowledgedAfter(Date.now());
    },
    120_000,
  );
});

/** Turns bytes of a file of the node over, where a text of the test's stands in it. */
async function damage(node: LabNode, path: string, text: string): Promise<void> {
  const file = await open(node.path(path), "r+");
  try {
    const found = (await file.readFile()).indexOf(text);
    expect(found).toBeGreaterThan(0);
    const bytes = Buffer.alloc(4);
    await file.read(bytes, 0, 4, found);
    await file.write(Buffer.from(bytes.map((byte) => byte ^ 0xff)), 0, 4, found);
    await file.sync();
  } finally {
    await file.close();
  }
}

describe("a log is damaged", () => {
  const insert = "INSERT INTO chime.damaged (v) VALUES ('";
  // MariaDB 11 keeps an index beside each log (.idx).
  const newest = async (node: LabNode, kind: "bin" | "relay") =>
    (await node.sh(`ls /var/lib/mysql/chime-${kind}.0* | grep '[0-9]$' | tail -1`)).stdout.trim();
  beforeAll(async () => {
    const { writer } = await writerOf(lab);
    await sql(writer, "CREATE TABLE chime.damaged (id INT PRIMARY KEY AUTO_INCREMENT, v TEXT)");
    await untilProtected(lab);
  });

  test("the writer's binary log: the replica that needs it is filled anew by itself", async () => {
    const { writer, replica } = await writerOf(lab);
    await replica.run(["systemctl", "stop", "chime-node", system.unit]);
    await writers.acknowledgedAfter(Date.now() + 1_000);
    const text = randomUUID();
    await sql(writer, `${insert}${text}')`);
    await damage(writer, await newest(writer, "bin"), text);
    await replica.run(["systemctl", "start", "chime-node", system.unit]);
    await reported(writer, "mysql.rebuilding", 60_000);
    await nothingIsMissing(lab, writers);
    expect(await sql(replica, `SELECT COUNT(*) FROM chime.damaged WHERE v = '${text}'`)).toBe("1");
    const { stdout } = await replica.run(["chime-node", "history"]);
    expect(stdout).toMatch(
      new RegExp(`rebuild +${replica.name} has the data of ${writer.name}: .*binary log`),
    );
  }, 180_000);

  test("the replica's relay log: it is fetched again", async () => {
    const { writer, replica } = await writerOf(lab);
    const text = randomUUID();
    await withAgentStopped(replica, async () => {
      await sql(replica, `${words.stop} SQL_THREAD`);
      await sql(writer, `${insert}${text}')`);
      await damage(replica, await newest(replica, "relay"), text);
      await sql(replica, `${words.start} SQL_THREAD`);
      const show = [system.client, "--vertical", "-e", words.show];
      const stopped = async () => /Last_SQL_Errno: [1-9]/.test((await replica.run(show)).stdout);
      await waitUntil("the applier to stumble", 30_000, stopped);
    });
    await nothingIsMissing(lab, writers);
    expect(await sql(replica, `SELECT COUNT(*) FROM chime.damaged WHERE v = '${text}'`)).toBe("1");
  }, 120_000);
});

describe("a certificate runs out", () => {
  /** Has a key's certificate made out `days` ago by the cluster's CA; they last 730. */
  async function age(node: LabNode, paths: { key: string; cert: string }, days: number, agent: boolean) {
    const pki = "/etc/chime-node/pki";
    const read = (path: string) => node.read(path);
    const authority = { cert: await read(`${pki}/ca.crt`), key: await read(`${pki}/ca.key`) };
    const { cluster, self } = JSON.parse(await read(`${pki}/identity.json`)) as Identity;
    const publicKey = publicKeyOf(await read(paths.key));
    const then = Date.now() - days * 86_400_000;
    const names = { commonName: node.name, alternativeNames: [node.name, node.address, vip] };
    const aged = agent
      ? certifyNode(authority, cluster, { ...self, publicKey }, then)
      : certify(authority, { cluster, publicKey, ...names }, then);
    // As it is: owner and mode stay.
    await writeFile(node.path(paths.cert), aged);
  }

  test("an agent's, expired: it gets another one by itself, and nothing else happens", async () => {
    const { writer, replica } = await writerOf(lab);
    const turns = async () =>
      (await writer.run(["chime-node", "history"])).stdout.match(/ promotion /g)?.length;
    const before = await turns();
    const paths = { key: "/etc/chime-node/pki/node.key", cert: "/etc/chime-node/pki/node.crt" };
    for (const node of [replica, writer]) {
      await node.run(["systemctl", "stop", "chime-node"]);
      await age(node, paths, 800, true);
      await node.run(["systemctl", "start", "chime-node"]);
      await untilProtected(lab);
    }
    expect(await turns()).toBe(before);
    await writers.acknowledgedAfter(Date.now());
  }, 120_000);

  test("the server's, in its last month: another one is in use, and the server still runs", async () => {
    const { replica } = await writerOf(lab);
    const ends = async () =>
      Date.parse((await sql(replica, "SHOW STATUS LIKE 'Ssl_server_not_after'")).split("\t")[1] ?? "");
    const paths = { key: "/etc/mysql/chime-node/server.key", cert: "/etc/mysql/chime-node/server.crt" };
    const pid = await replica.mainPid(system.unit);
    const own = await sql(replica, words.own);
    await age(replica, paths, 720, false);
    const soon = Date.now() + 700 * 86_400_000;
    await replica.run(["systemctl", "restart", "chime-node"]);
    await waitUntil("another certificate", 30_000, async () => (await ends()) > soon);
    expect(await replica.mainPid(system.unit)).toBe(pid);
    // Nothing of that is in its binary log, where it would be a transaction of its own.
    expect(await sql(replica, words.own)).toBe(own);
    await untilProtected(lab);
  }, 60_000);
});

describe("replication goes on failing", () => {
  test("its account was dropped: writes go on, status says why, apply puts it back", async () => {
    const { writer, replica } = await writerOf(lab);
    const at = Date.now();
    await sql(writer, `DROP USER chime_repl@'${replica.address}'`);
    // Nobody has to log in again before this.
    const dumps = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    for (const id of (await sql(writer, dumps)).split("\n")) await sqlOrNothing(writer, `KILL ${id}`);
    expect(await reported(writer, "mysql.replication_broken", 30_000)).toContain("chime_repl");
    await writers.acknowledgedAfter(Date.now());
    const pauses = (await writers.outages()).filter(({ to }) => to > at).map(({ ms }) => Math.round(ms));
    console.error(`longest pause of the writes: ${Math.max(...pauses)} ms`);
    expect((await chime(writer, ["apply", "--yes"])).code).toBe(0);
    await nothingIsMissing(lab, writers);
  }, 120_000);
});

test("the application's account was dropped: status says so, on a node that was the replica, too; apply puts it back", async () => {
  for (const round of ["this", "the other"]) {
    const { writer, replica } = await writerOf(lab);
    await sql(writer, "DROP USER chime@'%'");
    expect(await reported(writer, "drift")).toContain("sql");
    expect((await chime(writer, ["apply", "--yes"])).code).toBe(0);
    await writers.acknowledgedAfter(Date.now());
    if (round !== "this") continue;
    await untilProtected(lab);
    expect((await chime(writer, ["switchover"])).code).toBe(0);
    await untilWriter(replica);
  }
}, 120_000);

/** A server that found no room looks again after a minute. */
const roomMs = 150_000;

test("the replica's disk is full: said, and writes go on", async () => {
  const { writer, replica } = await writerOf(lab);
  const free = await replica.fillDisk("/var/lib/mysql");
  const at = Date.now();
  await reported(writer, "mysql.disk_full", 30_000);
  const { ms } = await writers.outageAfter(at, 60_000, 5_000);
  console.error(`writes paused for ${Math.round(ms)} ms`);
  await free();
  // By itself it looks again a minute later.
  if (!long) await replica.kill(system.unit);
  await untilProtected(lab, roomMs);
  await nothingIsMissing(lab, writers);
}, 240_000);

test("the writer's disk is full: the other node writes", async () => {
  const { writer, replica } = await writerOf(lab);
  const free = await writer.fillDisk("/var/lib/mysql");
  const at = Date.now();
  await reported(replica, "mysql.disk_full", 30_000);
  const { ms } = await writers.outageAfter(at, 60_000, 5_000);
  console.error(`writes paused for ${Math.round(ms)} ms`);
  await untilWriter(replica);
  await free();
  await untilProtected(lab, roomMs);
  await nothingIsMissing(lab, writers);
}, 240_000);

test.skipIf(!long)(
  "the disk of the agent is full: said, votes are recorded all the same, and its next start works",
  async () => {
    const { writer, replica } = await writerOf(lab);
    const state = "/var/lib/chime-node";
    const moved = (script: string) =>
      replica.sh(`systemctl stop chime-node; ${script}; systemctl start chime-node`);
    await moved(
      `cp -a ${state} /root/state; mount -t tmpfs -o size=8m tmpfs ${state}; cp -a /root/state/. ${state}`,
    );
    await untilProtected(lab);
    const free = await replica.fillDisk(state);
    expect(await reported(writer, "agent.disk_full", 30_000)).toContain(state);
    await writers.outageAfter(await writer.kill(system.unit));
    await untilWriter(replica);
    expect(await replica.read(`${state}/terms/mysql/term.json`)).toContain(`"writer":"${replica.name}"`);
    await replica.run(["systemctl", "restart", "chime-node"]);
    await writers.acknowledgedAfter(Date.now());
    await free();
    await nothingIsMissing(lab, writers);
    await moved(`cp -a ${state}/. /root/state; umount ${state}; cp -a /root/state/. ${state}`);
    await untilProtected(lab);
  },
  120_000,
);

test("the replica's data disk is stuck: writes go on without it, and it comes back", async () => {
  const { writer, replica } = await writerOf(lab);
  await replica.freeze();
  await reported(writer, "mysql.replica_down", 30_000);
  await writers.acknowledgedAfter(Date.now());
  expect((await writerOf(lab)).writer).toBe(writer);
  await replica.thaw();
  await nothingIsMissing(lab, writers);
}, 120_000);

test("a row deleted on the replica: reported at the latest when it is written again", async () => {
  const { writer, replica } = await writerOf(lab);
  await sql(
    writer,
    "CREATE TABLE chime.by_hand (id INT PRIMARY KEY, v INT); INSERT INTO chime.by_hand VALUES (1, 1)",
  );
  await waitUntil(
    "it to arrive",
    byItselfMs,
    async () => (await sql(replica, "SHOW TABLES FROM chime LIKE 'by_hand'")) !== "",
  );
  await strayWrite(replica, "SET SESSION sql_log_bin = 0; DELETE FROM chime.by_hand");
  await sql(writer, "UPDATE chime.by_hand SET v = 2");
  await reported(writer, "mysql.replication_broken");
}, 60_000);
