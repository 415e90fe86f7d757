import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as der from "../../src/cluster/der.ts";
import {
  caPublicKey,
  certifyNode,
  createAuthority,
  generateKey,
  publicKeyOf,
} from "../../src/cluster/pki.ts";
import { signCertificate } from "../../src/cluster/x509.ts";
import { exec } from "../../src/core/exec.ts";

const cluster = { name: "chime", id: "0123456789abcdef" };
const now = Date.now();
const authority = createAuthority(cluster, now);
const key = generateKey();
const node = { name: "node1", index: 7, address: "10.0.0.1", publicKey: key.publicKey };
const leaf = certifyNode(authority, cluster, node, now);

describe("DER (X.690)", () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

  test("integers are never negative and never longer than they need be", () => {
    const encoded = (...bytes: number[]) => hex(der.integer(Buffer.from(bytes)));
    expect(encoded(0)).toBe("020100");
    expect(encoded(0x7f)).toBe("02017f");
    expect(encoded(0x80)).toBe("02020080");
    expect(encoded(0, 0, 0x80)).toBe("02020080");
    expect(encoded(0, 0, 1)).toBe("020101");
  });

  test("lengths of one, two and three bytes", () => {
    const head = (length: number) => hex(der.octetString(Buffer.alloc(length)).subarray(0, 5));
    expect(head(127).slice(0, 4)).toBe("047f");
    expect(head(128).slice(0, 6)).toBe("048180");
    expect(head(65_536)).toBe("0483010000");
  });

  test("years from 2050 on are GeneralizedTime (RFC 5280 §4.1.2.5)", () => {
    const text = (date: string) => der.time(new Date(date)).toString("latin1");
    expect(text("2049-12-31T23:59:59.9Z")).toBe("\x17\x0d491231235959Z");
    expect(text("2050-01-01T00:00:00Z")).toBe("\x18\x0f20500101000000Z");
  });
});

test("serial numbers are positive, at most 20 bytes, and none comes twice", () => {
  const serials = Array.from({ length: 200 }, () => certifyNode(authority, cluster, node, now)).map(
    (pem) => new X509Certificate(pem).serialNumber,
  );
  expect(new Set(serials).size).toBe(200);
  for (const serial of serials) expect(serial).toMatch(/^[1-7][0-9A-F]{0,39}$|^0[0-9A-F]{1,39}$/);
});

/** Another implementation's opinion; only where that is installed. */
describe.skipIf(!Bun.which("openssl"))("as OpenSSL reads it", () => {
  let directory: string;
  const path = (name: string) => join(directory, name);
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "chime-x509-"));
    await writeFile(path("ca.crt"), authority.cert);
    await writeFile(path("leaf.crt"), leaf);
  });
  afterAll(() => rm(directory, { recursive: true }));

  const openssl = async (...args: string[]) => exec(["openssl", ...args], { ok: "any" });
  const textOf = async (file: string) =>
    (await openssl("x509", "-in", path(file), "-noout", "-text")).stdout.replaceAll(/\s+/g, " ");
  const verify = async (purpose: string, file: string, ca = "ca.crt") =>
    (await openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", path(ca), path(file))).code;

  test("the CA signs certificates and nothing else, and no CA stands below it", async () => {
    const text = await textOf("ca.crt");
    expect(text).toContain("X509v3 Basic Constraints: critical CA:TRUE, pathlen:0");
    expect(text).toContain("X509v3 Key Usage: critical Certificate Sign, CRL Sign");
    expect(text).not.toContain("Extended Key Usage");
  });

  test("a node's certificate is none of a CA, and names what it is for", async () => {
    const text = await textOf("leaf.crt");
    expect(text).toContain("X509v3 Basic Constraints: critical CA:FALSE");
    expect(text).toContain("X509v3 Key Usage: critical Digital Signature");
    expect(text).toContain("TLS Web Server Authentication, TLS Web Client Authentication");
    expect(text).toContain(`DNS:node1, IP Address:10.0.0.1, URI:chime://${cluster.id}/node/7`);
    expect(text).toContain("Signature Algorithm: ecdsa-with-SHA256");
  });

  test("the chain holds by the strict rules, as server and as client, and not by another CA", async () => {
    expect([await verify("sslserver", "leaf.crt"), await verify("sslclient", "leaf.crt")]).toEqual([0, 0]);
    await writeFile(path("other.crt"), createAuthority(cluster, now).cert);
    expect(await verify("sslserver", "leaf.crt", "other.crt")).not.toBe(0);
  });

  test("a certificate signed with a node's key is refused: the node is no CA", async () => {
    const spki = Buffer.from(node.publicKey, "base64");
    const forged = signCertificate({
      subject: { commonName: "node2", organization: cluster.id },
      issuer: { commonName: "node1", organization: cluster.id },
      publicKey: spki,
      issuerPublicKey: spki,
      issuerKey: key.privateKey,
      notBefore: new Date(now),
      notAfter: new Date(now + 86_400_000),
      usage: "peer",
      alternativeNames: ["node2"],
    });
    await writeFile(path("forged.crt"), forged);
    const args = ["verify", "-CAfile", path("ca.crt"), "-untrusted", path("leaf.crt"), path("forged.crt")];
    expect((await openssl(...args)).stderr).toMatch(/invalid CA certificate/);
  });

  test("IPv6 addresses and times after 2050", async () => {
    const long = signCertificate({
      subject: { commonName: "node1", organization: cluster.id },
      issuer: { commonName: "chime CA", organization: cluster.id },
      publicKey: Buffer.from(publicKeyOf(key.privateKey), "base64"),
      issuerPublicKey: Buffer.from(caPublicKey(authority.cert), "base64"),
      issuerKey: authority.key,
      notBefore: new Date("2026-01-01T00:00:00Z"),
      notAfter: new Date("2061-02-03T04:05:06Z"),
      usage: "peer",
      alternativeNames: ["2001:db8::1", "::ffff:10.0.0.1", "node1"],
    });
    await writeFile(path("long.crt"), long);
    const text = await textOf("long.crt");
    expect(text).toContain("Not After : Feb 3 04:05:06 2061 GMT");
    expect(text).toContain("IP Address:2001:DB8:0:0:0:0:0:1, IP Address:0:0:0:0:0:FFFF:A00:1, DNS:node1");
    expect(await verify("sslserver", "long.crt")).toBe(0);
  });
});
