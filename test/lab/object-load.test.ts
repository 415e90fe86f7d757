import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, copyFile } from "node:fs/promises";
import type { Store } from "../../src/roles/minio/store.ts";
import { Lab } from "./lab.ts";
import { minioBinary } from "./minio-binary.ts";
import { ObjectLoad } from "./object-load.ts";

const binary = process.env["CHIME_LONG"] ? await minioBinary() : undefined;

const unit = `[Service]
Type=notify
Environment=MINIO_CI_CD=1 MINIO_ROOT_USER=root-of-the-store MINIO_ROOT_PASSWORD=R00tSecretOfTheStore
ExecStart=/usr/local/bin/minio server --address ADDRESS:9000 /minio/disk{1...3}
Restart=always
`;

describe.skipIf(!binary)("clients of a store in the lab (--long; needs Go >= 1.24 and its modules)", () => {
  let lab: Lab;
  let store: Store;
  beforeAll(async () => {
    lab = await Lab.open({ nodes: ["node1"] });
    const [node] = lab.nodes;
    if (!node) throw new Error("the lab has no node");
    await copyFile(binary ?? "", node.path("/usr/local/bin/minio"));
    await chmod(node.path("/usr/local/bin/minio"), 0o755);
    await node.put("/etc/systemd/system/minio.service", unit.replace("ADDRESS", node.address));
    await node.run(["systemctl", "start", "minio"]);
    const credentials = { accessKey: "root-of-the-store", secretKey: "R00tSecretOfTheStore" };
    store = { address: node.address, port: 9000, credentials };
  }, 60_000);
  afterAll(() => lab?.close());

  test("what they were promised over a kill -9 is there at the end, and the gap is seen", async () => {
    const [node] = lab.nodes;
    const load = await ObjectLoad.start(lab, { store, bucket: "chime", holders: { node1: store } });
    const outage = await load.outageAfter((await node?.kill("minio")) ?? 0);
    const { requests, misread, faults } = await load.report();
    expect(outage).toMatchObject({ ended: true });
    expect(requests.some(({ error }) => error !== null)).toBe(true);
    expect({ misread, faults }).toEqual({ misread: [], faults: { node1: [] } });
  }, 120_000);
});
