import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exec } from "../../src/core/exec.ts";
import type { Store } from "../../src/roles/minio/store.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { digestOf } from "./loops.ts";
import { minioBinary } from "./minio-binary.ts";
import type { LabNode } from "./node.ts";
import { offerStandIns, ownStart, ranAs, type StandIn } from "./stand-in-package.ts";
import { applicationStore, formStore, openStoreLab, problemsOf, storeStatus, useStore } from "./store.ts";
import { bodyOf, sha256 } from "./store-program.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const minio = long ? await minioBinary() : undefined;
const why = minio ? "" : " (--long; needs Go >= 1.24 and its modules)";

/** MinIO's program under silo's name, and a unit that starts something else with the package. */
const standIn = (program: string): StandIn => ({
  name: "silo",
  description: "MinIO, standing in for silo",
  files: {
    "DEBIAN/postinst": "#!/bin/sh\nsystemctl daemon-reload\ndeb-systemd-invoke start silo.service || :\n",
    "usr/lib/systemd/system/silo.service": `[Service]\nExecStart=${ownStart}\n`,
  },
  programs: { "usr/bin/silo": program },
});

describe.skipIf(!minio)(`two nodes with engine silo, by a package that stands in for it${why}`, () => {
  let lab: Lab;
  let node1: LabNode;
  let store: Store;
  beforeAll(async () => {
    lab = await openStoreLab(2, 2, minio ?? "");
    [node1] = lab.nodes as [LabNode];
    await offerStandIns(lab, [standIn(minio ?? "")]);
    await formStore(lab, { "roles.minio.engine": "silo", "roles.minio.binary": undefined });
    store = await applicationStore(node1);
  }, 300_000);
  afterAll(() => lab?.close());

  test("its program runs by our unit alone, and stores; that nobody tried the real one is said", async () => {
    await waitUntil("both to serve", 60_000, async () => (await storeStatus(node1)).drives.online === 4);
    const put = await useStore(lab, { store, verb: "put", key: "first", patienceMs: 60_000 });
    expect(put.error).toBeNull();
    for (const node of lab.nodes) {
      expect(await ranAs(node, "silo.service")).toBe(
        "/etc/systemd/system/silo.service\n/usr/bin/silo\nminio-user\n",
      );
      expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
    }
    const { json } = await chime<object>(node1, ["preflight", "--role", "minio"]);
    expect(JSON.stringify(json)).toContain("silo was never tried on");
  }, 150_000);

  test("a server that is killed is back, with what it held", async () => {
    const main = async () =>
      (await node1.run(["systemctl", "show", "-P", "MainPID", "silo.service"])).stdout.trim();
    const before = await main();
    await node1.kill("silo");
    await waitUntil("it to serve again", 60_000, async () => {
      const [now, { drives }] = await Promise.all([main(), storeStatus(node1)]);
      const isNew = now !== "0" && now !== before;
      return isNew && drives.online === 4 && !(await problemsOf(node1)).includes("minio.node_down");
    });
    const got = await useStore(lab, { store, verb: "get", key: "first", patienceMs: 60_000 });
    expect(got).toMatchObject({ error: null, sha256: sha256(bodyOf("first")) });
  }, 150_000);

  test("a reset takes the package away, and leaves the disks as they are, byte for byte", async () => {
    const last = lab.nodes.at(-1) as LabNode;
    // What the server and the file system still write: before they stop nobody can compare.
    await last.run(["chime-node", "maintenance", "on", "--yes"]);
    await last.run(["systemctl", "stop", "silo.service", "minio-disk1.mount", "minio-disk2.mount"]);
    const digests = async () =>
      Promise.all(
        last.devices.map(async (path) => {
          const { stdout } = await exec(["losetup", "--noheadings", "--output", "BACK-FILE", path]);
          return digestOf(path, stdout.trim());
        }),
      );
    const before = await digests();
    expect((await chime(last, ["reset", "--yes"])).code).toBe(0);
    expect(await digests()).toEqual(before);
    const { stdout } = await last.sh("dpkg -l silo 2>/dev/null | grep ^ii || :; ls /usr/bin/silo 2>&1 || :");
    expect(stdout).toContain("No such file");
  }, 150_000);
});
