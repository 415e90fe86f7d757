import { afterEach, beforeEach, expect, test } from "bun:test";
import { ObjectClients, wasTorn } from "../../../src/operations/drill/objects.ts";
import type { Store } from "../../../src/roles/minio/store.ts";

/** Stands in for a store: objects by path, and what happens to a request before it is answered. */
const objects = new Map<string, Uint8Array<ArrayBuffer>>();
let disturb: (request: Request) => Response | undefined = () => undefined;
let server: Bun.Server<undefined>;
let store: Store;

beforeEach(() => {
  objects.clear();
  disturb = () => undefined;
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  const credentials = { accessKey: "access", secretKey: "secret" };
  store = { address: "127.0.0.1", port: server.port ?? 0, credentials };
});
afterEach(() => server.stop(true));

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const disturbed = disturb(request);
  if (disturbed) return disturbed;
  if (searchParams.has("versions")) return new Response("<R></R>");
  if (searchParams.has("uploads")) return new Response("<R><UploadId>1</UploadId></R>");
  if (request.method === "PUT") {
    const part = searchParams.get("partNumber");
    const before = part && part !== "1" ? (objects.get(pathname) ?? new Uint8Array()) : new Uint8Array();
    objects.set(pathname, new Uint8Array(Buffer.concat([before, await request.bytes()])));
    return new Response(null, { headers: { etag: '"1"' } });
  }
  if (request.method === "POST") return new Response("<R><ETag>1</ETag></R>");
  if (request.method === "DELETE") objects.delete(pathname);
  else if (!objects.has(pathname))
    return new Response("<Error><Code>NoSuchKey</Code></Error>", { status: 404 });
  return new Response(request.method === "GET" ? objects.get(pathname) : null);
}

function clients(): ObjectClients {
  const common = { bucket: "chime", prefix: "drill/", pauseMs: 0, requestMs: 2_000 };
  return new ObjectClients({ store, ...common, writers: 2, readers: 1 });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

const kinds = (load: ObjectClients) => [...new Set(load.requests.map(({ kind }) => kind))].sort();

test("objects are put, in parts too, written over, deleted and read; all of them are as promised", async () => {
  const load = clients();
  load.start();
  await until(() => load.acknowledged.length > 100);
  await load.stop();
  expect(kinds(load)).toEqual(["delete", "get", "parts", "put"]);
  expect(load.requests.every(({ error }) => error === null)).toBe(true);
  for (const { kind, at, ms, answered = [] } of load.requests) {
    // It was begun, and both of its parts were taken.
    expect(answered).toHaveLength(kind === "parts" ? 3 : 0);
    expect([at, ...answered, at + ms].toSorted((a, b) => a - b)).toEqual([at, ...answered, at + ms]);
  }
  expect(load.misread).toEqual([]);
  expect(await load.faultsOn(store)).toEqual([]);
});

test("what was left is removed, from a store that has just started and wants to be asked again, too", async () => {
  const refusal = "<Error><Code>SlowDownWrite</Code></Error>";
  let refused = 0;
  const versions = "<R><Version><Key>drill/1</Key><VersionId>null</VersionId></Version></R>";
  disturb = ({ method, url }) => {
    if (url.includes("versions")) return new Response(versions);
    return method === "DELETE" && refused++ < 2 ? new Response(refusal, { status: 503 }) : undefined;
  };
  objects.set("/chime/drill/1", new Uint8Array(1));
  await clients().clear();
  expect([refused, objects.size]).toEqual([3, 0]);
});

test("what is lost, changed, or not what was acknowledged last is found", async () => {
  const load = clients();
  load.start();
  await until(() => load.acknowledged.length > 100);
  await load.stop();
  const [lost = "", changed = ""] = [...objects.keys()];
  objects.delete(lost);
  objects.set(changed, new Uint8Array(3));
  const name = (path: string) => path.replace("/chime/", "");
  expect(await load.faultsOn(store)).toEqual(
    expect.arrayContaining([
      { key: name(lost), problem: "lost", unanswered: false },
      { key: name(changed), problem: "changed", unanswered: false },
    ]),
  );
});

test("a store that forgets deletions and what was written over, and one that gives back half", async () => {
  const load = clients();
  const seen = new Set<string>();
  let half = false;
  disturb = ({ method, url }) => {
    const { pathname, search } = new URL(url);
    if (half && method === "GET") return new Response("half");
    const again = method === "DELETE" || (method === "PUT" && search === "" && seen.has(pathname));
    if (method === "PUT") seen.add(pathname);
    return again ? new Response(null, { headers: { etag: '"1"' } }) : undefined;
  };
  load.start();
  await until(() => load.acknowledged.length > 100);
  const problems = new Set((await load.faultsOn(store)).map(({ problem }) => problem));
  expect(problems).toEqual(new Set(["old", "undeleted"]));
  half = true;
  await until(() => load.misread.some(({ problem }) => problem === "changed"));
  await load.stop();
});

test("what nobody answered may have happened or not, and is no fault either way; its object is left alone", async () => {
  const load = clients();
  let n = 0;
  disturb = (request) => {
    if (request.method === "GET" || ++n % 3 > 0) return undefined;
    const failed = new Response(null, { status: 503 });
    // Done, and not told.
    if (n % 2 === 0 && request.method === "DELETE") objects.delete(new URL(request.url).pathname);
    return failed;
  };
  load.start();
  await until(() => load.acknowledged.length > 200);
  await load.stop();
  expect(load.requests.some(({ error }) => error !== null)).toBe(true);
  expect(load.misread).toEqual([]);
  expect(await load.faultsOn(store)).toEqual([]);
  const there = (path: string) => objects.has(`/chime/${path}`);
  const found = [...(await load.unansweredOn(store))];
  expect(found.map(([, state]) => state !== null)).toEqual(found.map(([key]) => there(key)));
  expect(new Set(found.map(([key]) => there(key)))).toEqual(new Set([true, false]));
});

test.each([
  ["lost", true, true],
  ["lost", false, false],
  ["changed", true, false],
  ["old", true, false],
  ["undeleted", true, false],
] as const)("%s, a later change unanswered %p: conceded %p", (problem, unanswered, isConceded) => {
  expect(wasTorn({ key: "a", problem, unanswered })).toBe(isConceded);
});

test("a store that cannot be read back is no store without faults", async () => {
  const load = clients();
  load.start();
  await until(() => load.acknowledged.length > 10);
  await load.stop();
  await server.stop(true);
  await expect(load.faultsOn(store)).rejects.toMatchObject({ code: "minio.unreachable" });
});
