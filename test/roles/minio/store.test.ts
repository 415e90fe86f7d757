import { afterEach, expect, test } from "bun:test";
import { createAuthority, certify, generateKey } from "../../../src/cluster/pki.ts";
import { createBucket, getObject, headObject, listObjects, putInParts } from "../../../src/roles/minio/s3.ts";
import type { Store } from "../../../src/roles/minio/store.ts";

const credentials = { accessKey: "access-key", secretKey: "a-secret-key-of-the-test" };
const limits = { timeoutMs: 5_000 };

let server: Bun.Server<undefined> | undefined;
afterEach(() => server?.stop(true));

type Answerer = (request: Request) => Response | Promise<Response>;

/** Stands in for a store. */
function serve(fetch: Answerer, tls?: { cert: string; key: string }): Store {
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch, ...(tls && { tls }) });
  return { address: "127.0.0.1", port: server.port ?? 0, credentials };
}

function refuse(status: number, code: string, message = "no"): Response {
  return new Response(
    `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    {
      status,
    },
  );
}

async function errorOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  return work.then(
    () => ({ code: "none", message: "" }),
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
}

test("the name that was chosen is what the store is asked under, signed, and nothing else says who asks", async () => {
  const seen: (string | null)[] = [];
  const store = serve(({ url, headers }) => {
    seen.push(new URL(url).pathname, headers.get("host"), headers.get("authorization"));
    return new Response("content");
  });
  const body = await getObject({ ...store, name: "s3.chime.com" }, "chime", "a key/with+signs", limits);
  expect(new TextDecoder().decode(body)).toBe("content");
  expect(seen).toEqual([
    "/chime/a%20key/with%2Bsigns",
    `s3.chime.com:${store.port}`,
    expect.stringContaining("Credential=access-key/"),
  ]);
});

test.each([
  [404, "NoSuchBucket", "minio.no_bucket"],
  [404, "NoSuchKey", "minio.no_object"],
  [403, "SignatureDoesNotMatch", "minio.denied"],
  [403, "RequestTimeTooSkewed", "minio.clock"],
  [503, "SlowDownWrite", "minio.no_quorum"],
  [503, "XMinioServerNotInitialized", "minio.starting"],
  [507, "XMinioStorageFull", "minio.full"],
  [400, "SomethingNew", "minio.refused"],
  [503, "SomethingNew", "minio.refused"],
  [403, "SomethingNew", "minio.denied"],
])("%d %s is %s", async (status, theirs, ours) => {
  const store = serve(() => refuse(status, theirs, "it says &lt;why&gt;"));
  const error = await errorOf(getObject(store, "chime", "x", limits));
  expect(error).toEqual({
    code: ours,
    message: `the store at 127.0.0.1:${store.port} refuses GET /chime/x: ${theirs}: it says <why>`,
  });
});

test("an answer that is no refusal of a store's is told by its status, and one that is none by HEAD", async () => {
  const store = serve(() => new Response("<html>bad gateway</html>", { status: 502 }));
  expect(await errorOf(getObject(store, "chime", "x", limits))).toMatchObject({
    code: "minio.refused",
    message: expect.stringContaining("GET /chime/x: status 502"),
  });
  const denied = serve(() => new Response(null, { status: 403 }));
  expect(await errorOf(headObject(denied, "chime", "x", limits))).toMatchObject({ code: "minio.denied" });
});

test("what a store writes into its refusal is one short line, and an answer has an end", async () => {
  const store = serve(() => refuse(400, "Odd", `first\nsecond \u001b[31m${"x".repeat(10_000)}`));
  const { message } = await errorOf(getObject(store, "chime", "x", limits));
  expect(message).not.toMatch(/\p{C}/u);
  expect(message.length).toBeLessThan(500);
  const long = serve(() => new Response("x".repeat(2_000)));
  const error = await errorOf(getObject(long, "chime", "x", { ...limits, maxBytes: 1_000 }));
  expect(error).toMatchObject({ code: "minio.answer" });
});

test("a store that is not there, and one that hangs before or within its answer", async () => {
  const gone = serve(() => new Response());
  await server?.stop(true);
  expect(await errorOf(getObject(gone, "chime", "x", limits))).toMatchObject({ code: "minio.unreachable" });
  const silent = serve(() => new Promise<Response>(() => {}));
  const timeout = { code: "minio.timeout", message: expect.stringContaining("did not answer within 0.05 s") };
  expect(await errorOf(getObject(silent, "chime", "x", { timeoutMs: 50 }))).toMatchObject(timeout);
  await server?.stop(true);
  const stalls = serve(
    () => new Response(new ReadableStream({ start: (it) => it.enqueue(new Uint8Array(10)) })),
  );
  expect(await errorOf(getObject(stalls, "chime", "x", { timeoutMs: 50 }))).toMatchObject(timeout);
});

test("whoever gives up is not told that the store timed out", async () => {
  const store = serve(() => new Promise<Response>(() => {}));
  const reason = new Error("given up");
  const signal = AbortSignal.abort(reason);
  await expect(getObject(store, "chime", "x", { ...limits, signal })).rejects.toBe(reason);
});

test("nobody is followed elsewhere", async () => {
  const store = serve(() => Response.redirect("http://127.0.0.1:1/", 307));
  expect(await errorOf(getObject(store, "chime", "x", limits))).toMatchObject({
    message: expect.stringContaining("status 307"),
  });
});

test("TLS by the cluster's authority, for the name that the certificate has", async () => {
  const cluster = { name: "chime", id: "0".repeat(16) };
  const [authority, other] = [createAuthority(cluster, Date.now()), createAuthority(cluster, Date.now())];
  const { publicKey, privateKey } = generateKey();
  const names = { cluster, commonName: "node1", publicKey, alternativeNames: ["s3.chime.com"] };
  const cert = certify(authority, names, Date.now());
  const store = serve(() => new Response("sealed"), { cert, key: privateKey });
  const trusting = { ...store, ca: authority.cert, name: "s3.chime.com" };
  expect(new TextDecoder().decode(await getObject(trusting, "chime", "x", limits))).toBe("sealed");
  const wrong: Store[] = [
    { ...trusting, name: "s3.other.com" },
    { ...trusting, name: undefined },
    { ...trusting, ca: other.cert },
  ];
  for (const each of wrong) {
    expect(await errorOf(getObject(each, "chime", "x", limits))).toMatchObject({ code: "minio.unreachable" });
  }
});

test("a bucket that is ours already is as good as a new one; somebody else's is not", async () => {
  const ours = serve(() => refuse(409, "BucketAlreadyOwnedByYou"));
  await createBucket(ours, "chime", limits);
  const theirs = serve(() => refuse(409, "BucketAlreadyExists"));
  expect(await errorOf(createBucket(theirs, "chime", limits))).toMatchObject({ code: "minio.refused" });
});

test("a list that is longer than one answer", async () => {
  const asked: (string | null)[] = [];
  const store = serve((request) => {
    const token = new URL(request.url).searchParams.get("continuation-token");
    asked.push(token);
    return new Response(
      token === null
        ? "<R><Contents><Key>a+b</Key></Contents><Contents><Key>c%2Fd</Key></Contents><NextContinuationToken>1&amp;2</NextContinuationToken></R>"
        : "<R><Contents><Key>e</Key></Contents></R>",
    );
  });
  expect(await Array.fromAsync(listObjects(store, "chime", "", limits))).toEqual(["a b", "c/d", "e"]);
  expect(asked).toEqual([null, "1&2"]);
});

test("an upload in parts that fails at its end, behind a head that said 200, is an error and is dropped", async () => {
  const asked: string[] = [];
  const store = serve((request) => {
    const { searchParams } = new URL(request.url);
    asked.push(`${request.method} ${[...searchParams.keys()].sort().join(" ")}`);
    if (searchParams.has("uploads")) return new Response("<R><UploadId>id</UploadId></R>");
    if (request.method === "PUT") return new Response(null, { headers: { etag: '"0a1b-2"' } });
    return request.method === "POST" ? refuse(200, "SlowDownWrite") : new Response(null, { status: 204 });
  });
  const parts = [new Uint8Array(3), new Uint8Array(2)];
  expect(await errorOf(putInParts(store, "chime", "x", parts, limits))).toMatchObject({
    code: "minio.no_quorum",
  });
  const part = "PUT partNumber uploadId";
  expect(asked).toEqual(["POST uploads", part, part, "POST uploadId", "DELETE uploadId"]);
});
