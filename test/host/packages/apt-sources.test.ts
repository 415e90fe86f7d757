import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../../src/core/exec.ts";
import { aptFrom } from "../../../src/host/packages/apt.ts";
import { bundleSources } from "../../../src/host/packages/apt-sources.ts";

const work = mkdtempSync(join(tmpdir(), "chime-node-sources-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const [bundles, run] = [join(work, "bundles"), join(work, "run")];

test("without a bundle there are no sources, and nothing is made", async () => {
  expect(await bundleSources(bundles, run)).toBeUndefined();
  expect(await readdir(work)).toEqual([]);
  expect(await aptFrom(() => bundleSources(bundles, run)).candidates(["keepalived"])).toEqual(new Map());
});

test.skipIf(!Bun.which("apt-get"))("apt sees the imported repositories and nothing else", async () => {
  const { stdout: arch } = await exec(["dpkg", "--print-architecture"]);
  const record = (name: string) =>
    `Package: ${name}\nVersion: 1:2-3\nArchitecture: ${arch.trim()}\nMaintainer: x\nDescription: x\nFilename: ./x.deb\nSize: 1\nSHA256: ${"0".repeat(64)}\n`;
  await Bun.write(join(bundles, "one/repo/Packages"), record("chime-test-one"));
  await Bun.write(join(bundles, "two/repo/Packages"), record("chime-test-two"));
  await Bun.write(join(bundles, ".coming/repo/Packages"), record("chime-test-half"));
  const apt = aptFrom(() => bundleSources(bundles, run));
  const names = ["chime-test-one", "chime-test-two", "chime-test-half", "bash"];
  const [found] = await Promise.all([apt.candidates(names), apt.candidates(names)]);
  expect(found.get("chime-test-one")).toBe("1:2-3");
  expect(found.get("chime-test-two")).toBe("1:2-3");
  expect(found.has("chime-test-half")).toBe(false);
  expect(await readdir(join(run, "apt"))).toEqual(["one-two"]);
});
