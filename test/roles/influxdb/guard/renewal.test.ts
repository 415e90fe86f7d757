import { afterAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certify, createAuthority, generateKey } from "../../../../src/cluster/pki.ts";
import { renewal, unrenewed, type Renewal } from "../../../../src/roles/influxdb/guard/renewal.ts";

const directory = mkdtempSync(join(tmpdir(), "chime-renewal-"));
afterAll(() => rmSync(directory, { recursive: true }));

const cluster = { name: "chime", id: "c1" };
const authority = createAuthority(cluster, Date.now());

function issue() {
  const key = generateKey();
  const subject = {
    cluster,
    commonName: "influxdb",
    publicKey: key.publicKey,
    alternativeNames: ["10.0.0.1"],
  };
  const cert = certify(authority, subject, Date.now());
  return { key: key.privateKey, cert, shown: new X509Certificate(cert).fingerprint256 };
}

const [old, fresh] = [issue(), issue()];
const day = 86_400_000;

test.each<[string, { cert?: string; key?: string }, number, Renewal]>([
  ["the one that is shown", old, 20 * day, "none"],
  ["another one", fresh, 20 * day, "due"],
  ["another one, and what is shown ends today", fresh, day / 2, "now"],
  ["another one, and what is shown has ended", fresh, -day, "now"],
  ["half of another one", { ...fresh, key: old.key }, -day, "none"],
  ["no certificate", { ...fresh, cert: "" }, -day, "none"],
  ["nothing", {}, -day, "none"],
])("on the disk is %s", async (name, { cert, key }, leftMs, wanted) => {
  const files = { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) };
  if (cert !== undefined) writeFileSync(files.cert, cert);
  if (key !== undefined) writeFileSync(files.key, key);
  const now = Date.now();
  expect(await renewal({ shown: old.shown, until: now + leftMs }, now, files)).toBe(wanted);
});

test("a server waits until it shows the certificate that is there, and one that does not run for nothing", async () => {
  const server = createServer(old);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const files = { cert: join(directory, "shown.crt"), key: join(directory, "shown.key") };
  const put = ({ cert, key }: typeof old) => {
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
  };
  put(old);
  const waits = (isStopped = false) => unrenewed("127.0.0.1", async () => isStopped, port, files);
  expect(await waits()).toBeUndefined();
  put(fresh);
  expect(await waits()).toContain("in its turn");
  await new Promise((resolve) => server.close(resolve));
  expect(await waits()).toBe("its server does not answer");
  expect(await waits(true)).toBeUndefined();
});
