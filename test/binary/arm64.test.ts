import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildInfo } from "../../scripts/build-info.ts";
import { compile } from "../../scripts/compile.ts";
import { emulator } from "../../scripts/emulator.ts";
import { exec } from "../../src/core/exec.ts";

const root = resolve(import.meta.dir, "../..");

/** The other CPU's binary, run by the user mode of qemu. */
describe.skipIf(process.arch !== "x64" || !existsSync(emulator.program))("the binary for arm64", () => {
  let work: string;
  let binary: string;
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "chime-node-arm64-"));
    binary = join(work, "chime-node");
    await compile(join(root, "src/main.ts"), binary, { target: "linux-arm64", info: await buildInfo(root) });
  }, 60_000);
  afterAll(() => rm(work, { recursive: true, force: true }));

  const run = (...args: string[]) =>
    exec([emulator.program, ...emulator.args, binary, ...args], { ok: "any", timeoutMs: 100_000 });

  test("starts, and says what it is", async () => {
    const { version } = (await Bun.file(join(root, "package.json")).json()) as { version: string };
    expect((await run("--version")).stdout).toBe(`chime-node ${version}\n`);
    expect(JSON.parse((await run("version", "--json")).stdout)).toMatchObject({ version, arch: "arm64" });
  }, 120_000);

  test("loads a verb, parses strictly and ends with the contract's codes", async () => {
    const help = await run("join", "--help");
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining("--role")]);
    const typo = await run("statsu");
    expect([typo.code, typo.stderr]).toEqual([2, expect.stringContaining("did you mean chime-node status?")]);
  }, 120_000);
});
