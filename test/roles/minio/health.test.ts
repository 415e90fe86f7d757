import { afterEach, expect, test } from "bun:test";
import { readHealth, settles } from "../../../src/roles/minio/guard/health.ts";

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

test.each([
  ["it answers", { active: "active", isPending: false }, true, true],
  ["it does not answer", { active: "active", isPending: false }, false, false],
  ["the run before answers, and is about to end", { active: "active", isPending: true }, true, false],
  ["the run before answers to its end", { active: "deactivating", isPending: true }, true, false],
  ["between the two runs of a restart", { active: "inactive", isPending: true }, false, false],
  ["it is being started", { active: "activating", isPending: true }, false, false],
  ["it fails again and again", { active: "activating", isPending: false }, false, false],
  ["it is stopped", { active: "inactive", isPending: false }, false, true],
  ["it has failed", { active: "failed", isPending: false }, false, true],
])("whether a server goes by what is there for it to read: %s", (_, unit, reads, is) => {
  expect(settles(unit, reads)).toBe(is);
});
