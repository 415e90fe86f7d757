import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ObjectFault } from "../../src/operations/drill/objects.ts";
import type { DrillReport } from "../../src/operations/drill/report.ts";
import { rehearse } from "../../src/operations/drill/run.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { minioBinary } from "./minio-binary.ts";
import { type ObjectLoad, startObjects } from "./object-load.ts";
import { applicationStore, formStore, openStoreLab, useStore } from "./store.ts";
import { deadly, storeFaults, storeStage, untilWhole, type StoreFault } from "./store-faults.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const minio = long ? await minioBinary() : undefined;

const drilled = describe.skipIf(!minio).each(["false", "true"]);
const needs = "(--long; needs Go >= 1.24 and its modules)";

drilled(`3 × 3 under clients of all kinds, roles.minio.tls = %s ${needs}`, (tls) => {
  let lab: Lab;
  let load: ObjectLoad;
  beforeAll(async () => {
    lab = await openStoreLab(3, 3, minio ?? "");
    await formStore(lab, { "roles.minio.tls": tls });
    await untilWhole(lab);
    load = await startObjects(lab);
  }, 400_000);
  afterAll(() => lab?.close());

  test("chime-node drill: a server is killed, a disk pulled, a disk filled, and nothing is lost", async () => {
    const node = lab.node("node2");
    const refusal = await chime(node, ["drill", "--role", "minio", "--kind", "power", "--cluster", "chime"]);
    expect(refusal.json.error?.code).toBe("drill.not_undoable");
    const words = ["drill", "--role", "minio", "--kind", "kill,disk-pulled,disk-full"];
    const { json } = await chime<DrillReport>(node, [...words, "--rounds", "1", "--cluster", "chime"]);
    console.error(json.rounds.map(({ kind, victim, outage_ms }) => `${kind} of ${victim}: ${outage_ms} ms`));
    expect(json).toMatchObject({ passed: true, misread: 0, missing: { node1: 0, node2: 0, node3: 0 } });
    expect(new Set(json.rounds.map(({ victim }) => victim)).size).toBe(3);
  }, 400_000);

  for (const kind of Object.keys(storeFaults) as StoreFault[]) {
    const { name } = storeFaults[kind];
    test(`${name}: writes go on`, async () => {
      const [round] = await rehearse(storeStage(lab, load), [kind], {});
      console.error(`${name}: ${Math.round(round?.outage.ms ?? 0)} ms without an object that was stored`);
      expect(round?.outage.ended).toBe(true);
    }, 400_000);
  }

  test("whatever was acknowledged is there, the same through every node, and nothing else was ever read", async () => {
    await requireWhole(load);
  }, 180_000);
});

describe.skipIf(!minio)(`3 × 3 under clients that write over ${needs}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openStoreLab(3, 3, minio ?? "");
    await formStore(lab);
    await untilWhole(lab);
  }, 400_000);
  afterAll(() => lab?.close());

  test("what a server that dies has locked is not waited for, though it stays away", async () => {
    const victim = lab.node("node3");
    const store = await applicationStore(lab.node("node1"));
    const script = `const { accessKey: accessKeyId, secretKey: secretAccessKey } = ${JSON.stringify(store.credentials)};
      const endpoint = "http://${victim.address}:9000";
      const s3 = new Bun.S3Client({ endpoint, bucket: "chime", accessKeyId, secretAccessKey, region: "us-east-1" });
      const put = () => fetch(s3.presign("locked", { method: "PUT" }), { method: "PUT", body: new Uint8Array(100_000) });
      const writer = async () => { for (;;) { await put(); console.error("stored"); } };
      await Promise.all(Array.from({ length: 10 }, writer));`;
    const writers = lab.client.start([process.execPath, "-e", script]);
    await waitUntil("all to be at work", 30_000, () => writers.lines.length > 20);
    // Or the agent would start it again.
    expect((await chime(victim, ["maintenance", "on", "--yes"])).code).toBe(0);
    await victim.kill("minio");
    await victim.sh("systemctl stop minio");
    const { error, ms } = await useStore(lab, { store, verb: "delete", key: "locked", patienceMs: 60_000 });
    console.error(`an object that was locked by a dead server was deleted after ${ms} ms`);
    expect(error).toBeNull();
    expect(ms).toBeLessThan(10_000);
    await writers.exited;
    await chime(victim, ["maintenance", "off", "--yes"]);
    await untilWhole(lab);
  }, 200_000);

  test("an object that is written over as a server or a node dies has a state that was sent, not older than what was acknowledged, nor mixed", async () => {
    // Two of three changes; one whose change nobody answered is not written over any more.
    const overwrite = Array.from({ length: 20 }, (_, turn) => turn).filter((turn) => turn % 3 > 0);
    const load = await startObjects(lab, { writers: 8, turns: { overwrite, delete: [], parts: [] } });
    await rehearse(storeStage(lab, load), deadly, {});
    expect(await requireWhole(load)).toBeGreaterThan(0);
  }, 600_000);
});

/** Ends the clients. @returns how many changes were under way when something died, and went unanswered */
async function requireWhole(load: ObjectLoad): Promise<number> {
  const { requests, misread, faults, unanswered, differing } = await load.report();
  const gets = requests.filter(({ kind }) => kind === "get");
  const failed = gets.filter(({ error }) => error !== null).length;
  const found: (ObjectFault | string)[] = Object.values(faults).flat();
  console.error(
    `${requests.length} requests; ${gets.length} GETs, ${failed} failed; ${unanswered} changes unanswered`,
  );
  expect({ misread, differing, found }).toEqual({ misread: [], differing: [], found: [] });
  return unanswered;
}
