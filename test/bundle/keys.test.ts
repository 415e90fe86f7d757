import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sign } from "node:crypto";
import { generateKeys, readPrivateKey, readPublicKey, signerOf } from "../../src/bundle/keys.ts";
import { exec } from "../../src/core/exec.ts";
import { failure } from "../plan/failure.ts";

const work = mkdtempSync(join(tmpdir(), "chime-node-keys-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

test("a pair is made once, its secret half for its owner alone; openssl takes it", async () => {
  const made = await generateKeys(join(work, "pair"));
  expect((await stat(made.key)).mode & 0o777).toBe(0o600);
  expect(await readPublicKey(made.pub)).toBe(made.line);
  expect(await readPublicKey(made.line)).toBe(made.line);
  const { stdout } = await exec(["openssl", "pkey", "-in", made.key, "-pubout"]);
  expect(stdout).toBe(await Bun.file(made.pub).text());
  expect(await failure(generateKeys(join(work, "pair")))).toMatchObject({
    code: "bundle.key_exists",
    exit: 3,
  });
  expect(await readPublicKey(made.pub)).toBe(made.line);
});

test("where one half is there already, the other one is not made", async () => {
  await Bun.write(join(work, "half.pub"), "mine");
  expect(await failure(generateKeys(join(work, "half")))).toMatchObject({ code: "bundle.key_exists" });
  expect((await readdir(work)).filter((name) => name.startsWith("half"))).toEqual(["half.pub"]);
});

test("signerOf names the one that has signed", async () => {
  const [one, two] = [await generateKeys(join(work, "one")), await generateKeys(join(work, "two"))];
  const text = Buffer.from("text");
  const signature = sign(null, text, await readPrivateKey(one.key));
  expect(signerOf(text, signature, [two.line, one.line])).toBe(one.line);
  expect(signerOf(text, signature, [two.line])).toBeUndefined();
  expect(signerOf(Buffer.from("texT"), signature, [one.line])).toBeUndefined();
});

test("one half in the other's place is told as that", async () => {
  const { key, pub } = await generateKeys(join(work, "halves"));
  expect(await failure(readPrivateKey(pub))).toMatchObject({
    code: "bundle.bad_key",
    exit: 2,
    message: `${pub} is a public key: the private one signs`,
  });
  expect(await failure(readPublicKey(key))).toMatchObject({ code: "bundle.bad_key", exit: 2 });
});
