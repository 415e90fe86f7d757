import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Status } from "../../src/agent/status.ts";
import type { Store } from "../../src/roles/minio/store.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { minioBinary } from "./minio-binary.ts";
import type { LabNode } from "./node.ts";
import { startApplications } from "./object-load.ts";
import { applicationStore, formStore, openStoreLab, problemsOf, storeStatus, useStore } from "./store.ts";
import { bodyOf, sha256 } from "./store-program.ts";
import { waitUntil } from "./wait.ts";

const minio = await minioBinary();
const long = process.env["CHIME_LONG"] !== undefined;
const why = minio ? "" : " (skipped: needs Go >= 1.24 and its modules)";
/**
 * A server looks for drives that it lost every 15 s: so long nothing may be refused after its return. CI, which has no time for
 * that, sees the first of it alone.
 */
const afterMs = long ? 20_000 : 4_000;

describe.skipIf(!minio)(`two nodes with three disks each${why}`, () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let store: Store;
  beforeAll(async () => {
    lab = await openStoreLab(2, 3, minio ?? "");
    [node1, node2] = [lab.node("node1"), lab.node("node2")];
    await formStore(lab);
    store = await applicationStore(node1);
  }, 300_000);
  afterAll(() => lab?.close());

  test("what they cannot stand is said, and is no error", async () => {
    await waitUntil("both to serve", 60_000, async () => (await storeStatus(node1)).drives.online === 6);
    const { json } = await chime<Status>(node1, ["status"]);
    expect(json.healthy).toBe(true);
    expect(json.problems.find(({ code }) => code === "minio.margin")?.message).toContain("read-only");
    const put = await useStore(lab, { store, verb: "put", key: "first", patienceMs: 60_000 });
    expect(put.error).toBeNull();
  }, 150_000);

  test("one server killed and kept down: reads go on, writes and deletes are refused at once, and go on at its return", async () => {
    // The guard starts what is down: somebody works on this node.
    await node2.run(["chime-node", "maintenance", "on", "--yes"]);
    await node2.run(["systemctl", "kill", "-s", "KILL", "minio.service"]);
    await node2.run(["systemctl", "stop", "minio.service"]);
    await waitUntil("the store to be read-only", 60_000, async () =>
      (await problemsOf(node1)).includes("minio.read_only"),
    );
    const got = await useStore(lab, { store, verb: "get", key: "first", patienceMs: 30_000 });
    expect(got).toMatchObject({ error: null, sha256: sha256(bodyOf("first")) });
    for (const verb of ["put", "delete"] as const) {
      const refused = await useStore(lab, { store, verb, key: "second" });
      expect(refused.error).not.toBeNull();
      expect(refused.error).not.toContain("did not answer");
    }
    await node2.run(["chime-node", "maintenance", "off"]);
    const put = await useStore(lab, {
      store,
      verb: "put",
      key: "second",
      seed: "second",
      patienceMs: 90_000,
    });
    expect(put.error).toBeNull();
    // From the first one that is stored on. On a machine that is busy one may take long; refused or hanging is none.
    const load = await startApplications(lab, [node1, node2], "after/");
    await load.acknowledgedAfter(Date.now() + afterMs);
    const { requests, misread } = await load.report();
    expect(new Set(requests.map(({ kind }) => kind)).size).toBe(4);
    expect(requests.filter(({ error }) => error !== null)).toEqual([]);
    expect(misread).toEqual([]);
  }, 250_000);
});
