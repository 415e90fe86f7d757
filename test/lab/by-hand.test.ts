import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chime } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, startWriters, status, writerOf } from "./pair.ts";
import { sql } from "./sql.ts";
import { system } from "./system.ts";
import { untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

/** What people and broken parts do to a pair that serves: put back, or reported, within seconds. */
let lab: Lab;
let writers: Writers;
beforeAll(async () => {
  const data = { path: "/var/lib/mysql", sizeMiB: 768 };
  lab = await Lab.open({
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

const secondsMs = 10_000;

async function backTo(node: LabNode, what: string, query: string, wanted: string): Promise<void> {
  const at = Date.now();
  await waitUntil(what, secondsMs, async () => (await sql(node, query).catch(() => "")) === wanted, 50);
  console.error(`${what}: ${Date.now() - at} ms`);
}

async function reported(node: LabNode, code: string, withinMs = secondsMs): Promise<string> {
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

describe("replication broken by hand is put back", () => {
  test("STOP REPLICA", async () => {
    const { replica } = await writerOf(lab);
    await sql(replica, "STOP SLAVE");
    const running = "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Slave_IO'";
    await backTo(replica, "the receiver is back", running, "1");
    await untilProtected(lab);
  }, 60_000);

  test("read-only switched off on the replica", async () => {
    const { replica } = await writerOf(lab);
    // It may be over before the client has its answer: whoever writes here loses the connection.
    const off = [system.client, "-e", "SET GLOBAL read_only = OFF"];
    await replica.run(off, { check: false });
    await backTo(replica, "read-only is back", "SELECT @@read_only", "1");
    await untilProtected(lab);
  }, 60_000);

  test("semi-sync switched off on the writer", async () => {
    const { writer } = await writerOf(lab);
    await sql(writer, "SET GLOBAL rpl_semi_sync_master_enabled = OFF");
    await backTo(writer, "semi-sync is back", "SELECT @@rpl_semi_sync_master_enabled", "1");
    await untilProtected(lab);
  }, 60_000);

  test("semi-sync switched off on the replica", async () => {
    const { replica } = await writerOf(lab);
    await sql(replica, "SET GLOBAL rpl_semi_sync_slave_enabled = OFF; STOP SLAVE; START SLAVE");
    await backTo(replica, "semi-sync is back", "SELECT @@rpl_semi_sync_slave_enabled", "1");
    await untilProtected(lab);
    await writers.acknowledgedAfter(Date.now());
  }, 60_000);
});

test("the application's account was dropped: status says so, apply puts it back", async () => {
  const { writer } = await writerOf(lab);
  await sql(writer, "DROP USER chime@'%'");
  expect(await reported(writer, "drift")).toContain("sql");
  expect((await chime(writer, ["apply", "--yes"])).code).toBe(0);
  await writers.acknowledgedAfter(Date.now());
}, 60_000);

test("the replica's disk is full: said, and writes go on", async () => {
  const { writer, replica } = await writerOf(lab);
  const free = await replica.fillDisk("/var/lib/mysql");
  const at = Date.now();
  await reported(writer, "mysql.disk_full", 30_000);
  const { ms } = await writers.outageAfter(at, 60_000, 5_000);
  console.error(`writes paused for ${Math.round(ms)} ms`);
  await free();
  await untilProtected(lab, 120_000);
  expect(await writers.missingOn(replica)).toEqual([]);
}, 180_000);

test("the writer's disk is full: the other node writes", async () => {
  const { writer, replica } = await writerOf(lab);
  const free = await writer.fillDisk("/var/lib/mysql");
  const at = Date.now();
  await reported(replica, "mysql.disk_full", 30_000);
  const { ms } = await writers.outageAfter(at, 60_000, 5_000);
  console.error(`writes paused for ${Math.round(ms)} ms`);
  expect((await writerOf(lab)).writer).toBe(replica);
  await free();
  await untilProtected(lab, 120_000);
  expect(await writers.missingOn(writer)).toEqual([]);
}, 180_000);

test("a row deleted on the replica: reported at the latest when it is written again", async () => {
  const { writer, replica } = await writerOf(lab);
  await sql(
    writer,
    "CREATE TABLE chime.by_hand (id INT PRIMARY KEY, v INT); INSERT INTO chime.by_hand VALUES (1, 1)",
  );
  await waitUntil(
    "it to arrive",
    secondsMs,
    async () => (await sql(replica, "SHOW TABLES FROM chime LIKE 'by_hand'")) !== "",
  );
  await sql(replica, "SET SESSION sql_log_bin = 0; DELETE FROM chime.by_hand");
  await sql(writer, "UPDATE chime.by_hand SET v = 2");
  await reported(writer, "mysql.replication_broken");
}, 60_000);
