import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { whyNoProgram } from "../../src/host/elf.ts";

test("what runs here is a program", async () => {
  expect(await whyNoProgram(process.execPath)).toBeUndefined();
  expect(await whyNoProgram("/bin/sh")).toBeUndefined();
});

test("what is not there is the caller's to tell", async () => {
  await expect(whyNoProgram("/nonexistent")).rejects.toThrow("ENOENT");
});

test("what is no regular file is no program, said at once: nobody may ever write to a FIFO", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chime-elf-"));
  const fifo = join(directory, "fifo");
  await exec(["mkfifo", fifo]);
  try {
    for (const path of [fifo, directory, "/dev/zero"]) {
      expect(await whyNoProgram(path)).toBe("is not a regular file");
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});
