import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { chmod, readdir, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteSource } from "../../src/bundle/bytes.ts";
import { chunkBytes, chunksOf } from "../../src/bundle/chunks.ts";
import { packBundle, type Packed } from "../../src/bundle/pack.ts";
import { readBundle } from "../../src/bundle/read.ts";
import { header, isSafeName } from "../../src/bundle/tar.ts";
import { failure } from "../plan/failure.ts";
import { random } from "../plan/random.ts";
import { maker, manifestOf, trust } from "./forge.ts";

const work = mkdtempSync(join(tmpdir(), "chime-node-pack-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const { files: _, ...head } = manifestOf();
const key = maker.privateKey;

const sumOf = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

async function input(name: string, size: number, fill: number): Promise<Packed> {
  const path = join(work, name.replaceAll("/", "_"));
  await writeFile(path, Buffer.alloc(size, fill));
  return { name, path, size, version: "1", origin: "test" };
}

test("what is packed is read again, whatever the sizes; the same contents are the same bytes", async () => {
  const next = random(11);
  const sizes = [
    0,
    1,
    511,
    512,
    513,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    ...Array.from({ length: 9 }, () => next(3 << 20)),
  ];
  const files = await Promise.all(sizes.map((size, at) => input(`repo/f${at}`, size, at)));
  const one = await packBundle(join(work, "one.tar"), { head, files, key });
  for (const { path } of files) {
    await utimes(path, 1, 1);
    await chmod(path, 0o700);
  }
  const two = await packBundle(join(work, "two.tar"), { head, files, key });
  expect(two.id).toBe(one.id);
  const bytes = await Bun.file(join(work, "one.tar")).bytes();
  expect(Buffer.compare(bytes, await Bun.file(join(work, "two.tar")).bytes())).toBe(0);
  expect(bytes.length).toBe(one.size);
  const opened = await ByteSource.over(join(work, "one.tar"), (source) => readBundle(source, trust));
  expect(opened.manifest).toEqual(one.manifest);
  expect(opened.manifest.files.map(({ size }) => size)).toEqual(sizes);
});

test("what nodes take from each other has a sum of each 4 MiB, if it is larger; the others need none", async () => {
  const sizes = [chunkBytes, chunkBytes + 1, 3 * chunkBytes];
  const files = await Promise.all(sizes.map((size, at) => input(`repo/big${at}`, size, at)));
  files.push(await input("program.gz", 2 * chunkBytes, files.length));
  const { manifest } = await packBundle(join(work, "big.tar"), { head, files, key });
  expect(manifest.files.map(({ chunks }) => chunks?.length)).toEqual([undefined, 2, 3, undefined]);
  for (const [at, file] of manifest.files.entries()) {
    const bytes = Buffer.alloc(file.size, at);
    const chunks = chunksOf(file);
    for (const { start, size, sha256 } of chunks)
      expect(sumOf(bytes.subarray(start, start + size))).toBe(sha256);
    expect(chunks.reduce((sum, { size }) => sum + size, 0)).toBe(file.size);
  }
  const opened = await ByteSource.over(join(work, "big.tar"), (source) => readBundle(source, trust));
  expect(opened.manifest).toEqual(manifest);
});

test.each([-1, 1])(
  "a file that is %d byte larger than it was leaves nothing, and what was there",
  async (more) => {
    const out = join(work, "kept.tar");
    await writeFile(out, "before");
    const file = await input("grows", 1000, 1);
    const packing = packBundle(out, { head, files: [{ ...file, size: file.size - more }], key });
    expect(await failure(packing)).toMatchObject({ code: "bundle.input_changed" });
    expect(await Bun.file(out).text()).toBe("before");
    expect((await readdir(work)).filter((name) => name.endsWith(".part"))).toEqual([]);
  },
);

test("an interrupt leaves what was there", async () => {
  const out = join(work, "interrupted.tar");
  await writeFile(out, "before");
  const packing = packBundle(
    out,
    { head, files: [await input("late", 1000, 1)], key },
    AbortSignal.abort(new Error("interrupted")),
  );
  expect(await failure(packing)).toEqual(new Error("interrupted"));
  expect(await Bun.file(out).text()).toBe("before");
  expect((await readdir(work)).filter((name) => name.endsWith(".part"))).toEqual([]);
});

test("a file with another sum than the index has is refused", async () => {
  const file = { ...(await input("sum", 3, 1)), sha256: "0".repeat(64) };
  const packing = packBundle(join(work, "sum.tar"), { head, files: [file], key });
  expect(await failure(packing)).toMatchObject({ code: "bundle.input_changed" });
});

test.each([
  ["repo/pool/mariadb-server_10.11.14-0+deb12u2_amd64.deb", true],
  ["a~b", true],
  ["", false],
  [".", false],
  ["..", false],
  [".hidden", false],
  ["-rf", false],
  ["a//b", false],
  ["a/", false],
  ["a/../b", false],
  ["/a", false],
  ["a b", false],
  ["a\\b", false],
  ["a\nb", false],
  ["é", false],
  ["a".repeat(101), false],
])("a name in a bundle: %j %p", (name, safe) => {
  expect(isSafeName(name)).toBe(safe);
  if (!safe) expect(() => header({ name, size: 0 })).toThrow("cannot be a name");
});
