import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minioBinary } from "./minio-binary.ts";
import { testInNamespaces } from "./namespaces.ts";

const binary = await minioBinary();
const why = binary ? "" : " (skipped: needs Go >= 1.24 and its modules)";
const work = await mkdtemp(join(tmpdir(), "chime-minio-"));
afterAll(() => rm(work, { recursive: true }));

async function run(program: string): Promise<string> {
  const env = { MINIO: binary ?? "", DIRECTORY: join(work, program) };
  return testInNamespaces(join(import.meta.dir, program), env);
}

test.skipIf(!binary)(
  `objects, accounts, drives and a kill -9 under load, with a real MinIO${why}`,
  async () => expect(await run("minio-client-program.ts")).toBe("passed"),
  120_000,
);

test.skipIf(!binary || !process.env["CHIME_LONG"])(
  `two real stores that copy to each other, one of which dies, comes back, and is replaced${why}`,
  async () => expect(await run("minio-mirror-program.ts")).toBe("passed"),
  300_000,
);

test.skipIf(!binary || !process.env["CHIME_LONG"])(
  `the end of older states, ours and the engine's${why}`,
  async () => expect(await run("minio-expiry-program.ts")).toBe("passed"),
  120_000,
);
