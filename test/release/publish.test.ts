import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { bakeInstaller } from "../../scripts/release/installer.ts";
import { readPrivateKey, readPublicKey } from "../../src/bundle/keys.ts";
import { licenses } from "../../scripts/release/licenses.ts";
import { embeddedParts } from "../../scripts/release/parts.ts";
import { sbom } from "../../scripts/release/sbom.ts";
import { exec } from "../../src/core/exec.ts";
import { makeKey, makeTinyRelease } from "../install/release.ts";

const root = resolve(import.meta.dir, "../..");
let work: string;
let key: Awaited<ReturnType<typeof makeKey>>;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "chime-node-publish-"));
  key = await makeKey(join(work, "key"));
});
afterAll(() => rm(work, { recursive: true, force: true }));

describe("a release directory", () => {
  const make = (name: string, signed = true) =>
    makeTinyRelease(join(work, name), {
      version: "1.2.3",
      baseUrl: "https://releases.example/",
      xz: true,
      ...(signed && { key: key.key }),
    });

  test("has these files, with sums and a signature that the usual tools agree with", async () => {
    const directory = await make("one");
    expect((await readdir(directory)).sort()).toEqual([
      "LICENSES.txt",
      "SHA256SUMS",
      "chime-node-linux-arm64.gz",
      "chime-node-linux-arm64.xz",
      "chime-node-linux-x64.gz",
      "chime-node-linux-x64.xz",
      "install.sh",
      "manifest.json",
      "manifest.json.sig",
      "sbom.cdx.json",
    ]);
    const sums = await exec(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: directory });
    expect(sums.stdout.split("\n").filter((line) => line.endsWith(": OK"))).toHaveLength(8);
    const verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key.pub, "-rawin"];
    const signed = ["-in", "manifest.json", "-sigfile", "manifest.json.sig"];
    expect((await exec([...verify, ...signed], { cwd: directory, ok: "any" })).code).toBe(0);
    expect((await stat(join(directory, "install.sh"))).mode & 0o777).toBe(0o755);
  });

  test("made twice has the same bytes; made without a key it keeps no old signature", async () => {
    const first = await make("first");
    const second = await make("second");
    for (const name of await readdir(first)) {
      expect(await Bun.file(join(second, name)).bytes()).toEqual(await Bun.file(join(first, name)).bytes());
    }
    await make("second", false);
    expect(await readdir(second)).not.toContain("manifest.json.sig");
  });

  test("the manifest names every file with its size and sum, and what is in the packed ones", async () => {
    const directory = await make("one");
    const manifest = JSON.parse(await readFile(join(directory, "manifest.json"), "utf8")) as {
      version: string;
      files: { name: string; sha256: string; size: number; binary?: { sha256: string; size: number } }[];
    };
    expect(manifest.version).toBe("1.2.3");
    for (const { name, sha256, size, binary } of manifest.files) {
      const bytes = await Bun.file(join(directory, name)).bytes();
      expect([name, size, sha256]).toEqual([name, bytes.length, sha(bytes)]);
      if (!name.endsWith(".gz")) continue;
      const unpacked = Bun.gunzipSync(bytes);
      expect(binary).toEqual({ sha256: sha(unpacked), size: unpacked.length });
    }
    expect(manifest.files.filter(({ binary }) => binary)).toHaveLength(4);
  });

  test("install.sh knows its version, address, sums and key", async () => {
    const text = await readFile(join(await make("one"), "install.sh"), "utf8");
    expect(text).toContain("\nrelease_version='1.2.3'\n");
    expect(text).toContain("\nrelease_url='https://releases.example'\n");
    expect(text).toContain(`\nrelease_keys='${key.line}'\n`);
    expect(
      text.match(
        /^(release_files=')?chime-node-linux-(x64|arm64)\.(gz|xz) [0-9a-f]{64} \d+ [0-9a-f]{64} \d+'?$/gm,
      ),
    ).toHaveLength(4);
  });
});

describe("install.sh's places", () => {
  const values = { version: "1", url: "", files: [], trustedKeys: [] };
  test("are all there in the checkout, and one that is missing is told", () => {
    expect(() => bakeInstaller("#!/bin/sh\n", values)).toThrow("install.sh has no line release_version=''");
  });
  test("take no quote", async () => {
    const script = await Bun.file(join(root, "install.sh")).text();
    expect(() => bakeInstaller(script, { ...values, url: "https://x/';id;'" })).toThrow(
      "cannot hold a quote",
    );
  });
});

describe("keys", () => {
  test("of other kinds and halves are refused", async () => {
    const rsa = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    await writeFile(join(work, "rsa"), rsa.privateKey);
    await writeFile(join(work, "rsa.pub"), rsa.publicKey);
    expect(await readPublicKey(key.pub)).toBe(key.line);
    expect((await readPrivateKey(key.key)).asymmetricKeyType).toBe("ed25519");
    expect(readPrivateKey(join(work, "rsa"))).rejects.toThrow("is no Ed25519 private key");
    expect(readPublicKey(join(work, "rsa.pub"))).rejects.toThrow("is no Ed25519 public key");
    expect(readPublicKey(key.key)).rejects.toThrow("is no Ed25519 public key");
    expect(readPrivateKey(key.pub)).rejects.toThrow("is a public key");
    expect(readPrivateKey(join(work, "none"))).rejects.toThrow("cannot be read as a key");
  });
});

describe("what is inside", () => {
  test("is the runtime and the packages of package.json with what they need, no tool of ours", async () => {
    const names = (await embeddedParts(root)).map(({ name }) => name);
    const { dependencies } = (await Bun.file(join(root, "package.json")).json()) as {
      dependencies: Record<string, string>;
    };
    expect(names).toEqual(expect.arrayContaining(["bun", ...Object.keys(dependencies)]));
    expect(names).not.toContain("knip");
    expect(names).not.toContain("bun-types");
  });

  test("has its licence in the text and its package in the SBOM", async () => {
    const parts = await embeddedParts(root);
    const text = await licenses(root, parts);
    const document = JSON.parse(sbom({ version: "1", commit: "abc" }, parts)) as {
      bomFormat: string;
      serialNumber: string;
      components: { purl: string; hashes: { content: string }[]; licenses: unknown[] }[];
    };
    expect(document.bomFormat).toBe("CycloneDX");
    expect(document.serialNumber).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    for (const [index, { name, version }] of parts.entries()) {
      expect(text).toContain(`\n${name} ${version}\n`);
      expect(document.components[index]?.purl).toBe(`pkg:npm/${name}@${version}`);
      expect(document.components[index]?.hashes[0]?.content).toMatch(/^[0-9a-f]{128}$/);
    }
    expect(text).toContain("JavaScriptCore");
  });
});

const wrong: [string, string[], string][] = [
  ["a release of one target", ["--release", "x", "--target", "linux-x64"], "leave --target out"],
  ["a key without a release", ["--key", "x"], "belong to --release"],
  [
    "an address that is none",
    ["--release", "x", "--base-url", "x"],
    "--base-url takes an http or https address",
  ],
  ["no directory", ["--release", ""], "--release needs a directory"],
];
test.each(wrong)("scripts/build: %s is wrong usage", async (_, args, message) => {
  const build = join(root, "scripts/build.ts");
  const answer = await exec([process.execPath, build, ...args], { ok: "any", cwd: work });
  expect(answer.code).toBe(2);
  expect(answer.stderr).toContain(message);
  expect(await readdir(work)).not.toContain("x");
});

test("scripts/build: a key that is none stops before anything is built", async () => {
  const build = join(root, "scripts/build.ts");
  const args = ["--release", join(work, "never"), "--key", key.pub];
  const answer = await exec([process.execPath, build, ...args], { ok: "any", cwd: work });
  expect([answer.code, answer.stdout]).toEqual([1, ""]);
  expect(answer.stderr).toContain("is a public key: the private one signs");
  expect(await readdir(work)).not.toContain("never");
});

function sha(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}
