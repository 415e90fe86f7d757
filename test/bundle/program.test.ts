import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packProgram } from "../../src/bundle/program.ts";
import { failure } from "../plan/failure.ts";

const work = mkdtempSync(join(tmpdir(), "chime-node-program-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const { signal } = new AbortController();

/** The head of an ELF file and something that does not compress. */
function elf(machine: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(200_000);
  for (let at = 64; at < bytes.length; at++) bytes[at] = (at * 2_654_435_761) >>> 24;
  bytes.writeUInt32BE(0x7f454c46, 0);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}

test("packed once, and taken as it is where it is packed already", async () => {
  const program = elf(0x3e);
  await writeFile(join(work, "program"), program);
  const packed = await packProgram(join(work, "program"), "x64", join(work, "packed.gz"), signal);
  const sha256 = new Bun.CryptoHasher("sha256").update(program).digest("hex");
  expect(packed).toMatchObject({ path: join(work, "packed.gz"), binary: { sha256, size: program.length } });
  expect(Buffer.compare(Bun.gunzipSync(await Bun.file(packed.path).bytes()), program)).toBe(0);
  const again = await packProgram(packed.path, "x64", join(work, "never"), signal);
  expect(again).toEqual({ ...packed, path: packed.path });
  expect(await Bun.file(join(work, "never")).exists()).toBe(false);
});

test("an interrupt is not waited for: packing a program takes seconds", async () => {
  await writeFile(join(work, "large"), Buffer.concat(Array.from({ length: 200 }, () => elf(0x3e))));
  const interrupt = new AbortController();
  const packing = packProgram(join(work, "large"), "x64", join(work, "large.gz"), interrupt.signal);
  interrupt.abort(new Error("interrupted"));
  expect(await failure(packing)).toEqual(new Error("interrupted"));
  expect(Bun.file(join(work, "large.gz")).size).toBeLessThan(1_000_000);
});

test.each([
  ["for another CPU", elf(0xb7)],
  ["a script", Buffer.from("#!/bin/sh\n")],
  ["packed and no program", Buffer.from(Bun.gzipSync(Buffer.from("#!/bin/sh\n")))],
  ["packed and cut off", Buffer.from(Bun.gzipSync(elf(0x3e))).subarray(0, 500)],
])("refused: %s", async (_, bytes) => {
  await writeFile(join(work, "wrong"), bytes);
  const error = await failure(packProgram(join(work, "wrong"), "x64", join(work, "out.gz"), signal));
  expect(error).toMatchObject({ code: "bundle.bad_program", exit: 2 });
});
