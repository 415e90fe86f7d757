import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeWhole, writeAtomic } from "../../src/cluster/files.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-cluster-files-"));
afterAll(() => rm(directory, { recursive: true }));

test("a file of secrets goes with all that killed runs left of writing it, and nothing else does", async () => {
  const path = join(directory, "secrets.toml");
  await writeAtomic(path, "x", 0o600);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await writeFile(`${path}.0123456789ab.tmp`, "half");
  await writeFile(join(directory, "cluster.toml"), "the operator's");
  await writeFile(`${path}.bak`, "the operator's");
  await removeWhole(path);
  expect((await readdir(directory)).sort()).toEqual(["cluster.toml", "secrets.toml.bak"]);
  await removeWhole(path);
});
