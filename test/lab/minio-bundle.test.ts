import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { copyLabBundle, makeLabBundle } from "./bundle.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { minioBinary } from "./minio-binary.ts";
import type { LabNode } from "./node.ts";
import type { Initialized, Status } from "./pair.ts";
import { applicationStore, joinStore, openStoreLab, storeInit, storeStatus, useStore } from "./store.ts";
import { bodyOf, sha256 } from "./store-program.ts";
import { system } from "./system.ts";
import { waitUntil } from "./wait.ts";

const isLong = process.env["CHIME_LONG"] === "1";
const minio = isLong ? await minioBinary() : undefined;
const why = isLong ? " (skipped: needs Go >= 1.24 and its modules)" : " (skipped: --long only)";

/** Where a node has the server of its bundle. */
const bundled = "/var/lib/chime-node/bundles/programs/minio";

describe.skipIf(!minio || system.name === "debian-sid")(
  `a store on three nodes without a network, from one bundle${minio ? "" : why}`,
  () => {
    let lab: Lab;
    let node1: LabNode;
    const init = storeInit(3, 1, { "cluster.packages": "bundle", "roles.minio.binary": bundled });
    beforeAll(async () => {
      lab = await openStoreLab(3, 1, minio ?? "", { prepared: false });
      node1 = lab.node("node1");
      const role = ["--role", "minio", "--set", "roles.minio.engine=minio", "--add-binary", `minio=${minio}`];
      const made = await makeLabBundle(lab, await buildBinary(), join(lab.work, "bundle.tar"), role);
      for (const node of lab.nodes) await node.sh("umount /mirror; rm /etc/apt/sources.list /root/minio");
      await copyLabBundle(made, node1);
    }, 400_000);
    afterAll(() => lab?.close());

    test("one node has the file; all serve, with the program that was given to the bundle", async () => {
      await node1.run(["chime-node", "bundle", "import", "/root/bundle.tar", "--trust", "/root/key.pub"]);
      const { json } = await chime<Initialized>(node1, init);
      await node1.sh("rm /root/bundle.tar");
      await Promise.all(lab.nodes.map((node) => joinStore(node, json.token)));
      await waitUntil("the store to be whole", 120_000, async () => {
        const { json } = await chime<Status>(node1, ["status"]);
        return json.healthy && (await storeStatus(node1)).drives.online === 3;
      });
      const sum = sha256(Buffer.from(await Bun.file(minio ?? "").bytes()));
      for (const node of lab.nodes) {
        const { stdout } = await node.run(["sha256sum", "/usr/local/lib/chime-node/minio"]);
        expect(stdout.slice(0, 64)).toBe(sum);
      }
      const store = await applicationStore(node1);
      const put = await useStore(lab, { store, verb: "put", key: "first", patienceMs: 10_000 });
      expect(put.error).toBeNull();
      const got = await useStore(lab, { store, verb: "get", key: "first" });
      expect(got.sha256).toBe(sha256(bodyOf("first")));
    }, 400_000);
  },
);
