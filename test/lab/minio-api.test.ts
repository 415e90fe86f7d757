import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minioBinary } from "./minio-binary.ts";
import { testInNamespaces } from "./minio-server.ts";

const binary = await minioBinary();
const why = binary ? "" : " (skipped: needs Go >= 1.24 and its modules)";
const directory = await mkdtemp(join(tmpdir(), "chime-minio-"));
afterAll(() => rm(directory, { recursive: true }));

test.skipIf(!binary)(
  `objects, accounts and what is told of drives, asked of a real MinIO${why}`,
  async () => {
    const file = join(import.meta.dir, "minio-api-program.ts");
    expect(await testInNamespaces(file, { MINIO: binary ?? "", DIRECTORY: directory })).toBe("passed");
  },
  120_000,
);
