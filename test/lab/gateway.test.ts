import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, startWriters, status, vip, writerOf } from "./pair.ts";
import { system } from "./system.ts";
import { writable } from "./sql.ts";
import { byItselfMs, nothingIsMissing, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

/** A server that was killed, or is on its way down, takes no writes either. */
async function holdsVip(node: LabNode): Promise<boolean> {
  return (await node.run(["ip", "-br", "address"])).stdout.includes(`${vip}/`);
}

async function codes(node: LabNode): Promise<string[]> {
  return (await status(node)).problems.map(({ code }) => code);
}

async function isQuiet(writers: Writers, from: number, ms: number): Promise<void> {
  await Bun.sleep(ms);
  expect((await writers.acknowledged()).filter((row) => row.at > from)).toEqual([]);
}

describe("a pair alone whose gateway answers", () => {
  let lab: Lab;
  let writers: Writers;
  beforeAll(async () => {
    lab = await Lab.open({ prepared: true, nodes: ["node1", "node2"] });
    await formPair(lab);
    await untilProtected(lab);
    writers = await startWriters(lab);
  }, 400_000);
  afterAll(() => lab?.close());

  test("says what two nodes alone concede", async () => {
    const found = await codes(lab.node("node1"));
    expect(found).toContain("mysql.no_third_voter");
    expect(found).not.toContain("mysql.no_gateway");
  });

  test("the replica isolated: the writer goes on", async () => {
    const { writer, replica } = await writerOf(lab);
    const at = Date.now();
    await replica.cutPort("silent");
    const outage = await writers.outageAfter(at, 60_000, 3_000);
    console.error(`replica isolated: ${Math.round(outage.ms)} ms`);
    expect(outage.ms).toBeLessThan(byItselfMs);
    expect(await writable(replica)).toBe(false);
    await replica.heal();
    await nothingIsMissing(lab, writers);
    expect((await writerOf(lab)).writer).toBe(writer);
  }, 120_000);

  test("the writer isolated: the replica takes over, the writer acknowledges nothing and lets go of the VIP", async () => {
    const { writer, replica } = await writerOf(lab);
    await writer.run([system.client, "-e", "CREATE TABLE chime.stranded (id INT PRIMARY KEY)"]);
    const at = Date.now();
    await writer.cutPort("silent");
    const insert = "INSERT INTO chime.stranded VALUES (1)";
    const local = writer.run(["timeout", "8", system.client, "-e", insert], { check: false });
    const outage = await writers.outageAfter(at, 60_000, 500);
    console.error(`writer isolated: ${Math.round(outage.ms)} ms`);
    expect(outage.ms).toBeLessThan(byItselfMs);
    expect((await local).code).not.toBe(0);
    await waitUntil("the isolated one to let go", 30_000, async () => !(await holdsVip(writer)), 50);
    expect(await writable(writer)).toBe(false);
    await writer.heal();
    await nothingIsMissing(lab, writers);
    expect((await writerOf(lab)).writer).toBe(replica);
  }, 120_000);

  test("one that was isolated has its gateway back, and the other one, which went on, is gone: it waits", async () => {
    const { writer, replica } = await writerOf(lab);
    await replica.cutPort("silent");
    await writers.acknowledgedAfter(Date.now() + 3_000);
    await writer.powerOff();
    const from = Date.now() + 500;
    await replica.heal();
    await isQuiet(writers, from, 6_000);
    expect(await writable(replica)).toBe(false);
    expect(await codes(replica)).toEqual(expect.arrayContaining(["mysql.no_writer", "mysql.out"]));
    const why = (await status(replica)).problems.find(({ code }) => code === "mysql.out")?.message;
    expect(why).toContain("since it reached neither the other node nor its gateway");
    // Nor after a restart of its agent.
    await replica.run(["systemctl", "restart", "chime-node"]);
    await isQuiet(writers, from, 4_000);
    await writer.boot();
    await nothingIsMissing(lab, writers);
  }, 180_000);

  // Both may write, which is conceded. A node whose agent stood still for a moment is out, and does not.
  test("cut from each other, both with their gateway: writes go on; afterwards one of them writes", async () => {
    const { writer, replica } = await writerOf(lab);
    const at = Date.now();
    await Promise.all([writer.dropFrom(replica), replica.dropFrom(writer)]);
    const outage = await writers.outageAfter(at, 60_000, 3_000);
    const both = (await writable(writer)) && (await writable(replica));
    console.error(
      `cut, both with a gateway: ${Math.round(outage.ms)} ms, ${both ? "two writers" : "one writer"}`,
    );
    await Promise.all([writer.heal(), replica.heal()]);
    const one = async () => (await status(writer)).roles["mysql"]?.writable.length === 1;
    await waitUntil("one of them to write", 90_000, one, 100);
  }, 120_000);
});

describe("a pair alone without a gateway", () => {
  let lab: Lab;
  let writers: Writers;
  beforeAll(async () => {
    lab = await Lab.open({
      prepared: true,
      nodes: ["node1", "node2"].map((name) => ({ name, gateway: false })),
    });
    await formPair(lab);
    await untilProtected(lab);
    writers = await startWriters(lab);
  }, 400_000);
  afterAll(() => lab?.close());

  test("says that available works as safe", async () => {
    const { problems } = await status(lab.node("node1"));
    const found = problems.find(({ code }) => code === "mysql.no_gateway");
    expect(found).toMatchObject({ severity: "warning", message: expect.stringContaining("works as safe") });
  });

  test("the writer's power cut: the replica takes over", async () => {
    const { writer } = await writerOf(lab);
    const outage = await writers.outageAfter(await writer.powerOff());
    console.error(`power, no gateway: ${Math.round(outage.ms)} ms`);
    expect(outage.ms).toBeLessThan(byItselfMs);
    await writer.boot();
    await nothingIsMissing(lab, writers);
  }, 120_000);

  test("the replica's power cut: writes stop until it is back", async () => {
    const { replica } = await writerOf(lab);
    await replica.powerOff();
    await isQuiet(writers, Date.now() + 1_500, 6_000);
    await replica.boot();
    await writers.acknowledgedAfter(Date.now());
    await nothingIsMissing(lab, writers);
  }, 180_000);
});
