import { expect, test } from "bun:test";
import { whyNoProgram } from "../../src/host/elf.ts";

test("what runs here is a program", async () => {
  expect(await whyNoProgram(process.execPath)).toBeUndefined();
  expect(await whyNoProgram("/bin/sh")).toBeUndefined();
});

test("a directory and what is not there are the caller's to tell", async () => {
  await expect(whyNoProgram("/")).rejects.toThrow("EISDIR");
  await expect(whyNoProgram("/nonexistent")).rejects.toThrow("ENOENT");
});
