import { expect, test } from "bun:test";
import { exec } from "../../src/core/exec.ts";
import { minioBinary } from "./minio-binary.ts";

const minio = await minioBinary();

test.skipIf(!minio)(
  "MinIO is built from its source (skipped where Go >= 1.24 or its proxy is not there)",
  async () => {
    const { stdout } = await exec([minio ?? "", "--version"]);
    expect(stdout).toMatch(/^minio version DEVELOPMENT\.GOGET/);
  },
);
