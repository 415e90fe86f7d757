import { expect, test } from "bun:test";
import { minio } from "../../../src/roles/minio/index.ts";
import { storeContext, storeNode } from "./context.ts";

test.each([
  ["", "chime"],
  ['bucket = "portal"', "portal"],
])("all that an application needs, the bucket too: %s", (toml, bucket) => {
  const context = storeContext([storeNode(1), storeNode(2)], toml);
  expect(minio.connection(context)).toMatchObject({
    endpoint: expect.stringMatching(/^http:.*:9000$/),
    console: expect.stringMatching(/^http:.*:9001$/),
    secret_key: "S".repeat(32),
    bucket,
  });
});
