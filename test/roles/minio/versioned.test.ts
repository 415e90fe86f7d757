import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Phase } from "../../../src/cluster/types.ts";
import { openLedger } from "../../../src/plan/ledger.ts";
import { apply, plan } from "../../../src/plan/run.ts";
import { s3Port } from "../../../src/roles/minio/layout.ts";
import { versionedBucket } from "../../../src/roles/minio/versioned.ts";
import { storeContext, storeNode } from "./context.ts";

/** A store with one bucket, which says of it what it was told. */
class FakeStore implements AsyncDisposable {
  readonly address = `127.${randomInt(1, 250)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  readonly said: Record<string, string> = {};
  readonly told: string[] = [];
  /** It answers nothing else. */
  status = 200;
  readonly #server = Bun.serve({
    hostname: this.address,
    port: s3Port,
    fetch: (request) => this.#answer(request),
  });

  async #answer(request: Request): Promise<Response> {
    const what = new URL(request.url).searchParams.has("lifecycle") ? "lifecycle" : "versioning";
    if (this.status !== 200) return new Response(null, { status: this.status });
    if (request.method === "PUT") {
      this.told.push(what);
      this.said[what] = await request.text();
      return new Response();
    }
    const missing = "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>";
    if (what === "lifecycle" && !this.said[what]) return new Response(missing, { status: 404 });
    return new Response(this.said[what] ?? "<VersioningConfiguration></VersioningConfiguration>");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop(true);
  }
}

let directory = "";
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "chime-versioned-"))));
afterEach(() => rm(directory, { recursive: true, force: true }));

async function open(store: FakeStore, phase: Phase) {
  const members = [1, 2, 3].map((nth) => ({ ...storeNode(nth, { phase }), address: store.address }));
  const resources = [versionedBucket(storeContext(members), [])];
  const ledger = await openLedger(join(directory, "ledger"));
  return {
    plan: () => plan(resources, ledger),
    apply: () =>
      apply(resources, ledger, { signal: new AbortController().signal, progress: () => undefined }),
  };
}

test("a new store's bucket keeps older states at once, and a second apply changes nothing", async () => {
  await using store = new FakeStore();
  const node = await open(store, "configured");
  expect(await node.plan()).toMatchObject([{ resource: "s3-versions:chime", impact: "none" }]);
  expect((await node.apply()).failed).toEqual([]);
  // The other way round a killed one would leave versions that nobody ends.
  expect(store.told).toEqual(["lifecycle", "versioning"]);
  expect(await node.plan()).toEqual([]);
  expect((await node.apply()).applied).toEqual([]);
});

test("one that serves already is left to an operator, who is asked", async () => {
  await using store = new FakeStore();
  const node = await open(store, "ready");
  expect(await node.plan()).toMatchObject([{ resource: "s3-versions:chime", impact: "data", cause: "spec" }]);
  expect((await node.apply()).failed).toEqual([]);
  expect(await node.plan()).toEqual([]);
});

test.each([
  ["versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"],
  ["versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"],
  ["lifecycle", "<LifecycleConfiguration><Rule><ID>mine</ID></Rule></LifecycleConfiguration>"],
])("what an operator has said of its %s stays: %s", async (what, said) => {
  await using store = new FakeStore();
  store.said[what] = said;
  for (const phase of ["configured", "ready"] as const) {
    const node = await open(store, phase);
    expect(await node.plan()).toEqual([]);
    await node.apply();
  }
  expect([store.told, store.said]).toEqual([[], { [what]: said }]);
});

test("one that does not answer is left as it is, and a new one is not taken for done", async () => {
  await using store = new FakeStore();
  store.status = 503;
  expect(await (await open(store, "ready")).plan()).toEqual([]);
  const node = await open(store, "configured");
  expect((await node.apply()).failed).toHaveLength(1);
  store.status = 200;
  expect((await node.apply()).failed).toEqual([]);
  expect(store.told).toEqual(["lifecycle", "versioning"]);
});
