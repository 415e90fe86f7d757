import { afterAll, beforeAll, expect, test } from "bun:test";
import { readEligible } from "../../src/vip/track.ts";
import { chime, verdict } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { startWriters, status, writerOf } from "./pair.ts";
import { system } from "./system.ts";
import { byItselfMs, openPair, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

/** Planned work on a node of a pair, under load. */
let lab: Lab;
beforeAll(async () => {
  lab = await openPair();
}, 400_000);
afterAll(() => lab?.close());

interface Maintenance {
  node: string;
  maintenance: boolean;
  since: string | null;
  handed_over: string[];
}

interface Events {
  events: { node: string; kind: string; role: string | null; message: string; steps: { do: string }[] }[];
}

test("the writer hands over, replicates on, and takes over nothing, also after a reboot, until it is off", async () => {
  const writers = await startWriters(lab, { table: "maintained" });
  const { writer: worked, replica: other } = await writerOf(lab);
  const at = Date.now();
  const { code, json } = await chime<Maintenance>(worked, ["maintenance", "on"]);
  expect([code, json.maintenance, json.handed_over]).toEqual([0, true, ["mysql"]]);
  expect((await writers.outageAfter(at, 20_000)).ms).toBeLessThan(byItselfMs);
  expect((await writerOf(lab)).writer).toBe(other);
  const warned = async () =>
    (await status(other)).problems.some((p) => p.code === "maintenance" && p.node === worked.name);
  await waitUntil("every node to say so", 30_000, warned);
  await untilProtected(lab);

  await worked.shutdown();
  await worked.boot();
  await untilProtected(lab);
  expect(await warned()).toBe(true);
  expect(readEligible("mysql", worked.path("/run/chime-node/vip"))).toBe(false);

  expect(verdict(await chime(other, ["switchover"]))).toEqual([3, "switchover.in_maintenance"]);
  expect(verdict(await chime(other, ["maintenance", "on"]))).toEqual([3, "maintenance.nobody_left"]);
  // The only eligible node loses its server: nobody takes over, it comes back itself.
  const killed = await other.kill(system.unit);
  await writers.acknowledgedAfter(killed + 250);
  expect((await writerOf(lab)).writer).toBe(other);

  expect((await chime<Maintenance>(worked, ["maintenance", "off"])).json.maintenance).toBe(false);
  await untilProtected(lab);
  expect(await warned()).toBe(false);
  const after = await other.kill(system.unit);
  await writers.acknowledgedAfter(after + 250);
  expect((await writerOf(lab)).writer).toBe(worked);
  await untilProtected(lab);
  await writers.stop();
  await writers.untilOn(lab.nodes);

  const { events } = (await chime<Events>(other, ["history"])).json;
  const turns = events.filter(({ kind }) => kind === "maintenance" || kind === "promotion");
  expect(turns.slice(-5).map(({ node, kind }) => [node, kind])).toEqual([
    [other.name, "promotion"],
    [worked.name, "maintenance"],
    [other.name, "promotion"],
    [worked.name, "maintenance"],
    [worked.name, "promotion"],
  ]);
  expect(turns.at(-1)?.steps.map((step) => step.do)).toEqual(
    expect.arrayContaining(["stop-receiver", "open"]),
  );
}, 180_000);

test("accepted, the last node stops its writes, and takes them up again when it is off", async () => {
  const { writer, replica } = await writerOf(lab);
  await replica.shutdown();
  await waitUntil("the writer to be alone", 20_000, async () =>
    (await status(writer)).problems.some(({ code }) => code === "mysql.replica_down"),
  );
  expect((await chime(writer, ["maintenance", "on", "--yes"])).code).toBe(0);
  await waitUntil("nobody to write", 30_000, async () => {
    const { roles } = await status(writer);
    return roles["mysql"]?.writable.length === 0;
  });
  expect((await chime(writer, ["maintenance", "off"])).code).toBe(0);
  await waitUntil("it to write again", 30_000, async () =>
    Bun.deepEquals((await status(writer)).roles["mysql"]?.writable, [writer.name]),
  );
  await replica.boot();
  await untilProtected(lab);
}, 120_000);
