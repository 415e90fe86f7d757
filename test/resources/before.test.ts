import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { remember, restore, runnable } from "../../src/resources/before.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "before-"));
  path = join(directory, "program");
});
afterEach(() => rm(directory, { recursive: true }));

/** What is there now is remembered, and replaced. */
async function replace(): Promise<{ noted: unknown; was: string | undefined }> {
  const noted = await remember(path, join(directory, "backups"));
  await rm(path, { force: true });
  await writeFile(path, "another one");
  return { noted, was: await runnable(path, noted) };
}

const says = async (program: string | undefined) => (await exec([program ?? ""])).stdout.trim();

test("a program that was replaced can still be run, and is put back with its mode", async () => {
  await writeFile(path, "#!/bin/sh\necho first\n");
  await chmod(path, 0o750);
  const { noted, was } = await replace();
  expect(await says(was)).toBe("first");
  await restore(path, noted);
  expect([await says(path), (await stat(path)).mode & 0o7777]).toEqual(["first", 0o750]);
});

test("a link that was replaced leads to its program, as one of the alternatives does", async () => {
  await writeFile(join(directory, "target"), "#!/bin/sh\necho target\n", { mode: 0o755 });
  await symlink("target", path);
  const { noted, was } = await replace();
  expect(await says(was)).toBe("target");
  await restore(path, noted);
  expect(await readFile(path, "utf8")).toContain("echo target");
});

test("of nothing, and of a file that cannot be run, there is no program", async () => {
  expect((await replace()).was).toBeUndefined();
  await chmod(path, 0o644);
  expect((await replace()).was).toBeUndefined();
});
