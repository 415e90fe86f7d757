import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Phase } from "../../../src/cluster/types.ts";
import { openLedger } from "../../../src/plan/ledger.ts";
import { application } from "../../../src/roles/minio/application.ts";
import { s3Port, users } from "../../../src/roles/minio/layout.ts";
import { storeContext, storeNode } from "./context.ts";

/** A store of which an application is denied everything `denials` times; who asks for its account ends the test. */
class FakeStore implements AsyncDisposable {
  readonly address = `127.${randomInt(1, 250)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  readonly stop = new AbortController();
  denials = 0;
  asksForAccount = false;
  readonly #server = Bun.serve({
    hostname: this.address,
    port: s3Port,
    fetch: (request) => this.#answer(request),
  });

  #answer(request: Request): Response {
    if (new URL(request.url).pathname.startsWith("/minio/admin/")) {
      this.asksForAccount = true;
      this.stop.abort(new Error("seen"));
    }
    const isApplication = request.headers.get("authorization")?.includes(`Credential=${users.application}/`);
    return new Response(null, { status: isApplication && this.denials-- > 0 ? 403 : 200 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop(true);
  }
}

let directory = "";
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "chime-application-"))));
afterEach(() => rm(directory, { recursive: true, force: true }));

/** What a node of three does where the account is not there yet. @returns whether it set about making it */
async function makes(index: number, phase: Phase): Promise<boolean> {
  await using store = new FakeStore();
  const members = [1, 2, 3].map((nth) => ({ ...storeNode(nth, { phase }), address: store.address }));
  const [self] = members.splice(index - 1, 1);
  if (!self) throw new Error("there are three");
  // The first of the list is who asks; the order of the nodes is that of their indices.
  const resource = application(storeContext([self, ...members]), []);
  const ledger = await openLedger(join(directory, "ledger"));
  store.denials = 1;
  const change = await resource.inspect({ ledger, pending: () => false });
  store.denials = 1;
  const { signal } = store.stop;
  await change
    ?.apply({ ledger, signal, progress: () => undefined, ask: () => Promise.resolve() })
    .catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  expect(change?.diff).toContain(users.application);
  return store.asksForAccount;
}

test("at the joins the first node makes the account, the others wait until they open the store with it", async () => {
  expect([await makes(1, "configured"), await makes(2, "configured")]).toEqual([true, false]);
});

test("what is missing later each node puts right itself", async () => {
  expect(await makes(3, "ready")).toBe(true);
});
