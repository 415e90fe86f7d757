import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Lab } from "./lab.ts";
import { startWriters, status, writerOf } from "./pair.ts";
import { sqlOrNothing } from "./sql.ts";
import { system } from "./system.ts";
import { byItselfMs, nothingIsMissing, openPair } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

const { source, replica: acknowledger, stop, start } = system.words;

let lab: Lab;
let writers: Writers;

beforeAll(async () => {
  lab = await openPair();
  writers = await startWriters(lab);
}, 300_000);
afterAll(() => lab?.close());

describe("under a writer that commits as fast as it can", () => {
  test("kill -9 of the writing server: the other goes on, the killed one comes back level", async () => {
    for (const _ of [1, 2, 3]) {
      const { writer } = await writerOf(lab);
      const outage = await writers.outageAfter(await writer.kill(system.unit));
      expect(outage.ms).toBeLessThan(byItselfMs);
      await nothingIsMissing(lab, writers);
      expect((await writerOf(lab)).writer).not.toBe(writer);
    }
  }, 120_000);

  test("a power cut of the writer's node: the same, and it does not take the VIP back", async () => {
    for (const _ of [1, 2]) {
      const { writer } = await writerOf(lab);
      const outage = await writers.outageAfter(await writer.powerOff());
      expect(outage.ms).toBeLessThan(byItselfMs);
      await writer.boot();
      await nothingIsMissing(lab, writers);
      expect((await writerOf(lab)).writer).not.toBe(writer);
    }
  }, 180_000);

  test("the replica's server or node dies: writes go on alone, then protected again", async () => {
    const { writer, replica } = await writerOf(lab);
    expect((await writers.outageAfter(await replica.kill(system.unit))).ms).toBeLessThan(byItselfMs);
    await nothingIsMissing(lab, writers);
    const at = await replica.powerOff();
    expect((await writers.outageAfter(at, 60_000, 3_000)).ms).toBeLessThan(byItselfMs);
    await replica.boot();
    await nothingIsMissing(lab, writers);
    expect((await writerOf(lab)).writer).toBe(writer);
  }, 180_000);

  test("both servers killed at once, and both nodes without power: nothing acknowledged is lost", async () => {
    await Promise.all(lab.nodes.map((node) => node.kill(system.unit)));
    await writers.acknowledgedAfter(Date.now());
    await nothingIsMissing(lab, writers);
    await Promise.all(lab.nodes.map((node) => node.powerOff()));
    const at = Date.now();
    await Promise.all(lab.nodes.map((node) => node.boot()));
    await writers.acknowledgedAfter(at);
    await nothingIsMissing(lab, writers);
  }, 180_000);

  test("commits that nobody received or was told of are gone when the writer that died with them comes back", async () => {
    const { writer, replica } = await writerOf(lab);
    const stranded = await startWriters(lab, { connections: 8, table: "stranded" });
    // Nothing but the power cut ends the wait.
    await writer.run(["systemctl", "stop", "chime-node"]);
    await replica.dropFrom(writer);
    const waiting = `SHOW GLOBAL STATUS LIKE '${source}_wait_sessions'`;
    const wait = async () => /\t[1-9]/.test(await sqlOrNothing(writer, waiting));
    await waitUntil("commits that wait", 20_000, wait);
    await writer.powerOff();
    await replica.heal();
    await stranded.acknowledgedAfter(Date.now());
    await stranded.stop();
    await writer.boot();
    await nothingIsMissing(lab, writers);
    const [first, second] = await Promise.all(
      lab.nodes.map((node) => sqlOrNothing(node, "SELECT COUNT(*), SUM(id) FROM chime.stranded")),
    );
    expect(first).toBe(second as string);
    for (const node of lab.nodes) expect(await stranded.missingOn(node)).toEqual([]);
  }, 120_000);

  test("the replica's agent killed: no failover, no pause", async () => {
    const { writer, replica } = await writerOf(lab);
    const at = await replica.kill("chime-node.service");
    expect((await writers.outageAfter(at)).ms).toBeLessThan(byItselfMs);
    await nothingIsMissing(lab, writers);
    expect((await writerOf(lab)).writer).toBe(writer);
  }, 60_000);

  test("keepalived killed on the writer's node: the VIP moves, the writer steps back, nothing is lost", async () => {
    const { writer } = await writerOf(lab);
    await writers.outageAfter(await writer.kill("keepalived.service"));
    await nothingIsMissing(lab, writers);
  }, 60_000);
});

describe("hand-made drift on what the guard owns is put back", () => {
  const within = 15_000;
  type Drift = [what: string, on: "writer" | "replica", statement: string, look: string, want: string];
  const drifts: readonly Drift[] = [
    ["read-only switched off", "replica", "SET GLOBAL read_only = OFF", "SELECT @@read_only", "1"],
    [
      "semi-sync switched off",
      "writer",
      `SET GLOBAL ${source}_enabled = OFF`,
      `SELECT @@${source}_enabled`,
      "1",
    ],
    [
      "a wait with a limit",
      "writer",
      `SET GLOBAL ${source}_timeout = 100`,
      `SELECT @@${source}_timeout > 1000000`,
      "1",
    ],
    // What the replica applies meanwhile is acknowledged by nobody, and is no reason to keep it out.
    [
      "acknowledgements switched off",
      "replica",
      `${stop}; SET GLOBAL ${acknowledger}_enabled = OFF; ${start}`,
      `SELECT @@${acknowledger}_enabled`,
      "1",
    ],
    ["replication stopped", "replica", stop, system.words.running, "2"],
  ];
  for (const [what, on, statement, look, want] of drifts) {
    test(
      what,
      async () => {
        const node = (await writerOf(lab))[on];
        await sqlOrNothing(node, statement);
        await waitUntil(
          `${what} to be put back`,
          within,
          async () => (await sqlOrNothing(node, look)) === want,
          50,
        );
        await nothingIsMissing(lab, writers);
      },
      60_000,
    );
  }
});

// The last one: it leaves a pair that needs an operator.
test("a node with transactions of its own is quarantined when it comes back, and says what to do", async () => {
  const { writer, replica } = await writerOf(lab);
  // The guard closes it again, and ends who is connected: what comes too late is told again.
  const strays = async () => {
    await sqlOrNothing(replica, "SET GLOBAL read_only = OFF; CREATE DATABASE IF NOT EXISTS stray");
    return (await sqlOrNothing(replica, "SHOW DATABASES LIKE 'stray'")) !== "";
  };
  await waitUntil("a database of its own", 20_000, strays);
  await sqlOrNothing(replica, stop);
  await waitUntil("the quarantine", 30_000, async () => {
    const { problems, roles } = await status(writer);
    const node = roles["mysql"]?.nodes.find(({ name }) => name === replica.name);
    return node?.state === "quarantined" && problems.some(({ code }) => code === "mysql.quarantined");
  });
  const { healthy, problems, vips } = await status(writer);
  expect(healthy).toBe(false);
  expect(problems.find(({ code }) => code === "mysql.quarantined")).toMatchObject({
    severity: "error",
    node: replica.name,
  });
  expect(vips[0]?.holders).toEqual([writer.name]);
  await writers.acknowledgedAfter(Date.now());
  expect(await sqlOrNothing(writer, "SHOW DATABASES LIKE 'stray'")).toBe("");
  // Without its writer the quarantined node must not take over.
  const at = await writer.kill(system.unit);
  await writers.acknowledgedAfter(at + 250);
  expect((await writerOf(lab)).writer).toBe(writer);
}, 90_000);
