import { afterAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certify, createAuthority, generateKey } from "../../../../src/cluster/pki.ts";
import { renewal, type Renewal } from "../../../../src/roles/influxdb/guard/renewal.ts";

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
