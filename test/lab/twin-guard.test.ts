import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testInNamespaces } from "./namespaces.ts";

test("the guard of a node's InfluxDB decides whether clients may be led there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chime-twin-guard-"));
  try {
    const program = join(import.meta.dir, "twin-guard-program.ts");
    expect(await testInNamespaces(program, { DIRECTORY: directory })).toBe("passed");
  } finally {
    await rm(directory, { recursive: true });
  }
}, 120_000);
