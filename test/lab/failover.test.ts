import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chime, verdict } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { startWriters, status, writerOf } from "./pair.ts";
import { openPair, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

/** What only an operator's word can end, on a pair without a third voter. */
let lab: Lab;
let writers: Writers;
const open = async () => {
  lab = await openPair();
  writers = await startWriters(lab, { pauseMs: 5 });
};

interface Failover {
  dry_run: boolean;
  failovers: { way: string; to: string; from: string; may_lose: string[]; power_off: string[] }[];
}

const failover = (node: LabNode, to: LabNode, ...more: string[]) =>
  chime<Failover>(node, ["failover", "--to", to.name, ...more]);

/** Nobody acknowledges, and `status` names what to type. */
async function stuck(node: LabNode, to: string): Promise<void> {
  const remedy = `chime-node failover --to ${to} --accept-loss=chime`;
  const named = async () => {
    const { problems } = await status(node);
    return problems.some((p) => p.code === "mysql.no_writer" && p.remedy.includes(remedy));
  };
  await waitUntil("status to name the remedy", 30_000, named, 100);
}

async function quarantinedOrWhole(node: LabNode, back: LabNode): Promise<string> {
  let state = "";
  await waitUntil(
    `${back.name} to be looked at`,
    60_000,
    async () => {
      const found = (await status(node)).roles["mysql"]?.nodes.find(({ name }) => name === back.name);
      state = found?.state ?? "down";
      return state === "quarantined" || (state === "replica" && found?.replicating === true);
    },
    100,
  );
  return state;
}

describe("policy available", () => {
  beforeAll(open, 400_000);
  afterAll(() => lab?.close());

  test("where the writer lives and its replica is in sync, failover is a handover", async () => {
    const { writer, replica } = await writerOf(lab);
    expect((await failover(writer, writer)).json.failovers).toMatchObject([{ way: "none" }]);
    const dry = await failover(writer, replica, "--dry-run");
    expect([dry.code, dry.json.dry_run]).toEqual([0, true]);
    expect(dry.json.failovers).toMatchObject([{ way: "handover", may_lose: [], power_off: [] }]);
    expect((await writerOf(lab)).writer).toBe(writer);
    const { code, json } = await failover(writer, replica);
    expect([code, json.failovers[0]?.way]).toEqual([0, "handover"]);
    expect((await writerOf(lab)).writer).toBe(replica);
    await untilProtected(lab);
  }, 120_000);

  test("both lose their power, one comes back alone: it waits for the other, or for the word", async () => {
    const { writer: old, replica: alone } = await writerOf(lab);
    await Promise.all([old.powerOff(), alone.powerOff()]);
    await alone.boot();
    const back = Date.now();
    await stuck(alone, alone.name);

    expect(verdict(await failover(alone, alone, "--accept-loss=other"))).toEqual([
      3,
      "failover.wrong_cluster",
    ]);
    expect(verdict(await failover(alone, old, "--accept-loss=chime"))).toEqual([3, "failover.not_there"]);
    expect(verdict(await failover(alone, alone))).toEqual([3, "failover.needs_word"]);
    const dry = await failover(alone, alone, "--dry-run");
    expect(dry.json.failovers).toMatchObject([{ way: "word", to: alone.name, from: old.name }]);
    expect(dry.json.failovers[0]?.power_off).toEqual([old.name]);
    expect(dry.json.failovers[0]?.may_lose.join()).toMatch(/transactions up to (?:0-|[0-9a-f]{8}-)/);
    expect((await writers.acknowledged()).filter(({ at }) => at > back)).toEqual([]);

    const said = await alone.run(["chime-node", "failover", "--to", alone.name, "--accept-loss=chime"]);
    expect(said.stderr).toContain(`${old.name} cannot be reached and may still be acknowledging writes`);
    console.error(said.stderr + said.stdout);
    await writers.acknowledgedAfter(Date.now());
    const { json } = await chime<{ events: { kind: string; message: string }[] }>(alone, ["history"]);
    const turn = json.events.find(({ kind }) => kind === "failover");
    expect(turn?.message).toContain(`${alone.name} writes in place of ${old.name}, by an operator's word`);

    await old.boot();
    console.error(`the old writer is back: ${await quarantinedOrWhole(alone, old)}`);
    expect((await status(alone)).roles["mysql"]?.writable).toEqual([alone.name]);
    // Its clients' rows since the word are on the one that serves.
    expect((await writers.missingOn(alone)).length).toBeLessThan(20);
  }, 240_000);
});

describe("policy safe", () => {
  beforeAll(async () => {
    await open();
    const [node] = lab.nodes as [LabNode];
    await node.sh(`sed -i 's/^.*policy = "available".*/policy = "safe"/' /etc/chime-node/cluster.toml
      grep -q '^.failover.$' /etc/chime-node/cluster.toml || sed -i 's/^policy = "safe"/[failover]\\n&/' /etc/chime-node/cluster.toml`);
    expect((await chime(node, ["apply", "--yes"])).code).toBe(0);
    await untilProtected(lab);
  }, 400_000);
  afterAll(() => lab?.close());

  test("a dead replica stops the writes; the writer goes on after the word", async () => {
    const { writer, replica } = await writerOf(lab);
    const off = await replica.powerOff();
    await stuck(writer, writer.name);
    const waited = (await writers.acknowledged()).filter(({ at }) => at > off + 2_000);
    expect(waited).toEqual([]);
    const { code, json } = await failover(writer, writer, "--accept-loss=chime");
    expect([code, json.failovers[0]?.power_off]).toEqual([0, [replica.name]]);
    await writers.acknowledgedAfter(Date.now());
    await replica.boot();
    await untilProtected(lab);
    await writers.untilOn([replica]);
  }, 180_000);

  test("a dead replica that may have been the writer is removed by the word alone; then writes go on", async () => {
    const { writer, replica } = await writerOf(lab);
    await replica.powerOff();
    await stuck(writer, writer.name);
    const remove = (...more: string[]) => chime(writer, ["remove", replica.name, "--yes", ...more]);
    expect(verdict(await remove())).toEqual([3, "remove.possible_writer"]);
    expect(verdict(await remove("--accept-loss=other"))).toEqual([3, "failover.wrong_cluster"]);
    expect((await remove("--accept-loss=chime")).code).toBe(0);
    await writers.acknowledgedAfter(Date.now());
    await writers.untilOn([writer]);
    await replica.boot();
    const away = async () => verdict(await chime(replica, ["status"]))[1] === "node.removed";
    await waitUntil("the removed one to know", 30_000, away, 200);
    // Alone it is a cluster of one: a restart waits for nobody.
    await writer.powerOff();
    const at = Date.now();
    await writer.boot();
    await writers.acknowledgedAfter(at);
  }, 240_000);
});
