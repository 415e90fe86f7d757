import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exec } from "../../src/core/exec.ts";

const script = resolve(import.meta.dir, "../../install.sh");
let prefix: string;

beforeEach(async () => {
  prefix = await mkdtemp(join(tmpdir(), "chime-node-install-"));
});
afterEach(() => rm(prefix, { recursive: true, force: true }));

const install = (...args: string[]) => exec(["sh", script, ...args, "--prefix", prefix], { ok: "any" });

/** Stands in for the binary: what install.sh needs of it is --version. */
async function binary(name: string, body: string): Promise<string> {
  const path = join(prefix, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

test("installs, says so, does nothing the second time, replaces another version, and removes", async () => {
  const one = await binary("one", "echo chime-node 1");
  const two = await binary("two", "echo chime-node 2");
  const target = join(prefix, "bin/chime-node");

  const first = await install("--binary", one);
  expect([first.code, first.stdout]).toEqual([0, `installed ${target} (chime-node 1)\n`]);
  const before = await stat(target);
  expect(before.mode & 0o7777).toBe(0o755);

  const again = await install("--binary", one);
  expect([again.code, again.stdout]).toEqual([0, `${target} is up to date\n`]);
  expect((await stat(target)).ino).toBe(before.ino);

  expect((await install("--binary", two)).code).toBe(0);
  expect(await readFile(target, "utf8")).toContain("chime-node 2");

  expect((await install("--uninstall")).stdout).toBe(`removed ${target}\n`);
  expect((await install("--uninstall")).code).toBe(0);
  expect((await readdir(prefix)).sort()).toEqual(["one", "two"]);
});

test("a binary that does not run here leaves the old one in place and nothing behind", async () => {
  await install("--binary", await binary("good", "echo chime-node 1"));
  const result = await install("--binary", await binary("bad", "exit 126"));
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("does not run on this machine");
  expect(await readdir(join(prefix, "bin"))).toEqual(["chime-node"]);
  expect(await readFile(join(prefix, "bin/chime-node"), "utf8")).toContain("chime-node 1");
});

const wrong: [string, string[], string][] = [
  ["no binary, and no release", [], "--binary is missing"],
  ["a flag without a value", ["--binary", ""], "--binary needs a value"],
  ["a typo", ["--binry", "x"], "unknown argument --binry"],
  ["a file that is not there", ["--binary", "/nonexistent/chime-node"], "is no file"],
  ["both actions", ["--binary", "x", "--uninstall"], "exclude each other"],
];
test.each(wrong)("%s is wrong usage and touches nothing", async (_, args, message) => {
  const result = await install(...args);
  expect(result.code).toBe(2);
  expect(result.stderr).toContain(message);
  expect(await readdir(prefix)).toEqual([]);
});
