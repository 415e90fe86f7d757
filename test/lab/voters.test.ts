import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rehearse, type Round } from "../../src/operations/drill/run.ts";
import { chime } from "./chime.ts";
import { labStage, type FaultKind } from "./faults.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, joinWitness, startWriters, status, writerOf } from "./pair.ts";
import { dualMoments, Prober } from "./prober.ts";
import { system } from "./system.ts";
import { byItselfMs, nothingIsMissing, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

let lab: Lab;
let node1: LabNode;
let token: string;
let writers: Writers;

beforeAll(async () => {
  lab = await Lab.open({ prepared: true, nodes: ["node1", "node2", "node3", "node4"] });
  node1 = lab.node("node1");
  ({ token } = await formPair(lab, ["failover.policy=safe"]));
  await untilProtected(lab);
  writers = await startWriters(lab);
}, 400_000);
afterAll(() => lab?.close());

async function round(kind: FaultKind): Promise<Round> {
  const [done] = await rehearse(labStage(lab, writers), [kind], {});
  console.error(`${kind}: ${Math.round(done?.outage.ms ?? 0)} ms`);
  return done as Round;
}

/** The rest of a wait is seen by rows that do not come: longer than any way to go on alone takes. */
const silenceMs = 5_000;

describe("two nodes and nobody else, failover.policy = safe", () => {
  test("status says what that costs", async () => {
    const { problems } = await status(node1);
    expect(problems.find(({ code }) => code === "mysql.no_third_voter")?.message).toContain(
      "without its replica the writer stops",
    );
  });

  test("the replica dies: writes stop until it is back, then go on", async () => {
    const { writer, replica } = await writerOf(lab);
    const at = await replica.powerOff();
    // What it acknowledged before it died may still be on its way to the client.
    const stopped = at + 500;
    await waitUntil("the writer to stop", 20_000, async () =>
      Bun.deepEquals((await status(writer)).roles["mysql"]?.writable, []),
    );
    await Bun.sleep(silenceMs);
    expect((await writers.acknowledged()).filter((row) => row.at > stopped)).toEqual([]);
    expect((await status(writer)).problems.map(({ code }) => code)).toContain("mysql.no_writer");
    await replica.boot();
    await writers.acknowledgedAfter(Date.now());
    await nothingIsMissing(lab, writers);
  }, 120_000);

  test("the writer dies: the replica takes over", async () => {
    for (const kind of ["kill", "power"] as const) {
      const { victim, outage } = await round(kind);
      expect([outage.ended, outage.ms < byItselfMs]).toEqual([true, true]);
      await nothingIsMissing(lab, writers);
      expect((await writerOf(lab)).writer.name).not.toBe(victim);
    }
  }, 180_000);

  test("cut from each other: the replica takes over, the old writer acknowledges nothing", async () => {
    const prober = await Prober.start(lab, ["node1", "node2"]);
    const { victim, outage } = await round("cut-peer");
    expect([outage.ended, outage.ms < byItselfMs]).toEqual([true, true]);
    await nothingIsMissing(lab, writers);
    expect(dualMoments(await prober.stop())).toEqual([]);
    expect((await writerOf(lab)).writer.name).not.toBe(victim);
  }, 120_000);
});

describe("the third voter", () => {
  const voters = async () => (await status(node1)).roles["mysql"]?.voters;
  const newestPromotion = async () => (await status(node1)).roles["mysql"]?.last_promotion?.at;
  const problem = async (code: string) => (await status(node1)).problems.find((found) => found.code === code);

  test("joins: nothing is conceded any more", async () => {
    await joinWitness(lab.node("node3"), token);
    expect(await voters()).toEqual(["node1", "node2", "node3"]);
    expect(await problem("mysql.no_third_voter")).toBeUndefined();
  }, 90_000);

  test("dies: a warning, and the pair goes on; back, the warning is gone", async () => {
    const { writer } = await writerOf(lab);
    const before = await newestPromotion();
    await lab.node("node3").powerOff();
    await waitUntil("the warning", 60_000, async () => (await problem("mysql.voter_down")) !== undefined);
    expect((await problem("mysql.voter_down"))?.node).toBe("node3");
    await writers.acknowledgedAfter(Date.now());
    await lab.node("node3").boot();
    await waitUntil("its end", 60_000, async () => (await problem("mysql.voter_down")) === undefined);
    expect(await voters()).toEqual(["node1", "node2", "node3"]);
    // How long writes pause meanwhile is the host's: what a busy one takes for itself is no outage of the pair.
    expect([await newestPromotion(), (await writerOf(lab)).writer]).toEqual([before, writer]);
  }, 180_000);

  test("dies while another member lives: that one takes its place, and votes", async () => {
    const { json } = await chime<{ token: string }>(node1, ["token", "create"]);
    const env = { CHIME_TOKEN: json.token };
    const join = ["chime-node", "join", ...system.flags, "--role", "witness"];
    await lab.node("node4").run(join, { timeoutMs: 120_000, env });
    await lab.node("node3").powerOff();
    await waitUntil("the change", 60_000, async () =>
      Bun.deepEquals(await voters(), ["node1", "node2", "node4"]),
    );
    await waitUntil("no warning", 60_000, async () => (await problem("mysql.voter_down")) === undefined);
    await lab.node("node3").boot();
    await nothingIsMissing(lab, writers);
    const { outage } = await round("power");
    expect([outage.ended, outage.ms < byItselfMs]).toEqual([true, true]);
    await nothingIsMissing(lab, writers);
    expect(await voters()).toEqual(["node1", "node2", "node4"]);
  }, 180_000);

  test("leaves: the other member takes its place", async () => {
    expect((await chime(lab.node("node4"), ["reset", "--yes"])).code).toBe(0);
    await waitUntil("the change", 60_000, async () =>
      Bun.deepEquals(await voters(), ["node1", "node2", "node3"]),
    );
    const { outage } = await round("kill");
    expect(outage.ended).toBe(true);
    await writers.stop();
    await nothingIsMissing(lab, writers);
  }, 120_000);
});
