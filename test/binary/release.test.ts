import { expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildInfo } from "../../scripts/build-info.ts";
import { bundles, compile } from "../../scripts/compile.ts";
import { allTargets } from "../../scripts/targets.ts";
import { exec } from "../../src/core/exec.ts";

const root = resolve(import.meta.dir, "../..");

async function inTemporary(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "chime-node-release-"));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test.each(allTargets)(
  "the binary for %s has the same bytes wherever it is built",
  async (target) => {
    await inTemporary(async (directory) => {
      const info = await buildInfo(root, ["key"]);
      const build = async (at: string) => {
        await mkdir(join(directory, at), { recursive: true });
        await compile(join(root, "src/main.ts"), join(directory, at, "chime-node"), { target, info });
        return Bun.file(join(directory, at, "chime-node")).bytes();
      };
      const [one, two] = [await build("one"), await build("at/another/place")];
      expect(one.length).toBeGreaterThan(50_000_000);
      expect(Buffer.compare(one, two)).toBe(0);
    });
  },
  120_000,
);

test("comments that are left out are all that is left out", async () => {
  const [asIs, compiled] = await bundles(join(root, "src/main.ts"));
  expect(compiled.length).toBeGreaterThan(500_000);
  expect(compiled === asIs).toBe(true);
});

test("the binary tells its commit, parts and trusted keys", async () => {
  await inTemporary(async (directory) => {
    const info = await buildInfo(root, ["key one", "key two"]);
    const binary = join(directory, "chime-node");
    await compile(join(root, "src/main.ts"), binary, { info });
    const { stdout } = await exec([binary, "version", "--json"]);
    const told = JSON.parse(stdout) as Record<string, unknown>;
    expect(told).toMatchObject({
      commit: info.commit,
      modified: info.modified,
      trusted_keys: ["key one", "key two"],
      state: 2,
    });
    expect(told["parts"]).toContainEqual(expect.objectContaining({ name: "bun", version: Bun.version }));
  });
}, 60_000);

/** Four minutes: xz of two binaries, twice. */
test.skipIf(process.env["CHIME_LONG"] !== "1")(
  "a whole release has the same bytes when it is built twice, and is as small as promised",
  async () => {
    await inTemporary(async (directory) => {
      const key = join(directory, "key");
      await exec(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key]);
      const build = async (name: string) => {
        const args = [
          "--release",
          join(directory, name),
          "--key",
          key,
          "--base-url",
          "https://releases.example",
        ];
        await exec([process.execPath, join(root, "scripts/build.ts"), ...args], { timeoutMs: 900_000 });
        return join(directory, name);
      };
      const [one, two] = [await build("one"), await build("two")];
      const names = await readdir(one);
      expect(names).toHaveLength(10);
      for (const name of names) {
        const [a, b] = [await Bun.file(join(one, name)).bytes(), await Bun.file(join(two, name)).bytes()];
        expect([name, Buffer.compare(a, b)]).toEqual([name, 0]);
        if (name.endsWith(".gz")) expect(a.length).toBeLessThan(52_000_000);
        if (name.endsWith(".xz")) expect(a.length).toBeLessThan(41_000_000);
      }
    });
  },
  1_800_000,
);
