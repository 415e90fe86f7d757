import { afterEach, expect, test } from "bun:test";
import { readHealth } from "../../../src/roles/minio/guard/health.ts";

const before = process.env["HTTP_PROXY"];
afterEach(() => {
  if (before === undefined) delete process.env["HTTP_PROXY"];
  else process.env["HTTP_PROXY"] = before;
});

test("a proxy of the environment is not asked how a server is", async () => {
  let asked = 0;
  const proxy = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(`${++asked}`) });
  process.env["HTTP_PROXY"] = `http://127.0.0.1:${proxy.port}`;
  try {
    // Nobody's (RFC 5737).
    const health = await readHealth({ address: "192.0.2.1" }, AbortSignal.timeout(200));
    expect([asked, health.up]).toEqual([0, false]);
  } finally {
    await proxy.stop(true);
  }
});
