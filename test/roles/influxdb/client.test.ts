import { afterEach, expect, test } from "bun:test";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { certify, createAuthority, generateKey } from "../../../src/cluster/pki.ts";
import { originOf } from "../../../src/roles/http.ts";
import { ask, askWell, stream, type Server } from "../../../src/roles/influxdb/client.ts";
import { literal, identifier, queryJson, queryMsgpack } from "../../../src/roles/influxdb/influxql.ts";
import { isUp, setUp } from "../../../src/roles/influxdb/setup.ts";
import { writeLines } from "../../../src/roles/influxdb/write.ts";

const limits = { timeoutMs: 5_000 };
const ping = { method: "GET", path: "/ping" } as const;
const database = { db: "chime", rp: "autogen" };

let server: Bun.Server<undefined> | undefined;
let raw: NetServer | undefined;
const sockets = new Set<Socket>();
afterEach(async () => {
  await server?.stop(true);
  raw?.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

type Answerer = (request: Request) => Response | Promise<Response>;

/** Stands in for a server. */
function serve(fetch: Answerer, tls?: { cert: string; key: string }): Server {
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch, ...(tls && { tls }) });
  return { address: "127.0.0.1", port: server.port ?? 0, token: "a-token-of-the-test", org: "chime" };
}

/** Says what it likes, in what it takes for HTTP. */
async function serveRaw(connected: (socket: Socket, nth: number) => void): Promise<Server> {
  let nth = 0;
  const listening = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    connected(socket, ++nth);
  });
  raw = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return { address: "127.0.0.1", port: (listening.address() as { port: number }).port, org: "chime" };
}

async function errorOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  return work.then(
    () => ({ code: "none", message: "" }),
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
}

async function all(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(pieces)).toString();
}

test.each([
  [400, "invalid", "influxdb.refused"],
  [401, "unauthorized", "influxdb.denied"],
  [404, "not found", "influxdb.missing"],
  [413, "request too large", "influxdb.too_large"],
  [422, "unprocessable entity", "influxdb.partial"],
  [429, "too many requests", "influxdb.busy"],
  [500, "internal error", "influxdb.broken"],
  [503, "unavailable", "influxdb.starting"],
])("%d %s is %s", async (status, code, ours) => {
  const at = serve(() => Response.json({ code, message: "it says why" }, { status }));
  const error = await errorOf(writeLines(at, { bucket: "chime", body: "m f=1" }, limits));
  expect(error.code).toBe(ours);
  expect(error.message).toBe(
    `the server at 127.0.0.1:${at.port} refuses POST /api/v2/write: ${code}: it says why`,
  );
});

// What 2.7.12 answers of each, in front of the reason.
const failure = "unexpected error writing points to database";
test.each([
  ["full", "influxdb.full", "write /x: no space left on device"],
  ["read-only", "influxdb.read_only", "write /var/lib/influxdb/influxd.bolt: read-only file system"],
  ["read-only at its start", "influxdb.read_only", "mkdir /e/data/def48a2d16d5617f: read-only file system"],
  [
    "writable again, and it does not know",
    "influxdb.read_only",
    "not attempting to open shard 1; opening shard previously failed with: open /e/_series/00/0000: read-only file system",
  ],
])("a server whose disk is %s says so in words alone", async (_, wanted, why) => {
  const message = `${failure}: ${why}`;
  const at = serve(() => Response.json({ code: "internal error", message }, { status: 500 }));
  const { code } = await errorOf(writeLines(at, { bucket: "chime", body: "m f=1" }, limits));
  expect(code).toBe(wanted);
});

test("names the token in no error, and who asks in the header alone", async () => {
  const seen: (string | null)[] = [];
  const at = serve(({ url, headers }) => {
    seen.push(url, headers.get("authorization"));
    return new Response("<html>\nbad\u0000gateway</html>", { status: 502 });
  });
  const { message } = await errorOf(askWell(at, ping, limits));
  expect(message).toEndWith("refuses GET /ping: <html> bad gateway</html>");
  expect(seen).toEqual([`http://127.0.0.1:${at.port}/ping`, "Token a-token-of-the-test"]);
});

test("is not led elsewhere", async () => {
  const at = serve(() => Response.redirect("http://127.0.0.1:1/", 302));
  expect(await ask(at, ping, limits)).toMatchObject({ status: 302 });
});

test("trusts the certificate of its authority under its name alone", async () => {
  const cluster = { name: "chime", id: "0".repeat(16) };
  const [authority, other] = [createAuthority(cluster, Date.now()), createAuthority(cluster, Date.now())];
  const { publicKey, privateKey } = generateKey();
  const names = { cluster, commonName: "node1", publicKey, alternativeNames: ["node1.chime.com"] };
  const cert = certify(authority, names, Date.now());
  const at = serve(() => new Response(null, { status: 204 }), { cert, key: privateKey });
  const trusting = { ...at, name: "node1.chime.com", ca: authority.cert };
  expect(await ask(trusting, ping, limits)).toMatchObject({ status: 204 });
  expect(originOf(trusting)).toBe(`https://node1.chime.com:${at.port}`);
  const wrong = [
    { ...trusting, ca: other.cert },
    { ...trusting, name: "node2.chime.com" },
  ];
  for (const each of wrong) {
    expect(await errorOf(ask(each, ping, limits))).toMatchObject({ code: "influxdb.unreachable" });
  }
});

test("a server that is silent is late, one that does not listen cannot be reached, and the caller's own end is neither", async () => {
  const silent = await serveRaw(() => undefined);
  expect(await errorOf(ask(silent, ping, { timeoutMs: 49.999_99 }))).toEqual({
    code: "influxdb.timeout",
    message: `the server at 127.0.0.1:${silent.port} did not answer within 0.05 s`,
  });
  expect(await isUp(silent, { timeoutMs: 50 })).toBe(false);
  expect(await errorOf(ask({ ...silent, port: 1 }, ping, limits))).toMatchObject({
    code: "influxdb.unreachable",
    message: "the server at 127.0.0.1:1 cannot be reached: connection refused",
  });
  const ended = new Error("ended by the caller");
  const signal = AbortSignal.abort(ended);
  await expect(ask(silent, ping, { ...limits, signal })).rejects.toBe(ended);
  await expect(isUp(silent, { ...limits, signal })).rejects.toBe(ended);
});

const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

test.each([ping, { method: "POST", path: "/api/v2/write", body: "m f=1" } as const])(
  "connections are kept, and one that the server closes as it is used is not the server's end: $method",
  async (asked) => {
    let connections = 0;
    let answered = 0;
    const at = await serveRaw((socket, nth) => {
      connections = nth;
      // The first one is closed by the second request on it.
      socket.on("data", () => (nth === 1 && ++answered === 2 ? socket.destroy() : socket.write(answer)));
    });
    await ask(at, asked, limits);
    expect(connections).toBe(1);
    expect(await ask(at, asked, limits)).toMatchObject({ status: 200 });
    expect(connections).toBe(2);
  },
);

test("what must not be done twice is not sent twice, and on no connection that was kept", async () => {
  const requests: string[] = [];
  const at = await serveRaw((socket, nth) => {
    socket.on("data", (data) => {
      requests.push(`${nth} ${data.toString().split(" ", 2).join(" ")}`);
      if (data.toString().startsWith("POST")) socket.destroy();
      else socket.write(answer);
    });
  });
  await ask(at, ping, limits);
  const setup = { username: "chime", password: "long-enough", org: "chime", bucket: "chime" };
  const error = await errorOf(setUp(at, { ...setup, token: "t", retentionSeconds: 0 }, limits));
  expect(error.code).toBe("influxdb.unreachable");
  expect(requests).toEqual(["1 GET /ping", "2 POST /api/v2/setup"]);
});

test.each([
  ["a retention that the server refuses too late", { retentionSeconds: 60 }],
  ["a password that is too short", { password: "short" }],
  ["no password, which the server takes", { password: "" }],
  ["a password that is too long in bytes", { password: "ü".repeat(37) }],
  ["no bucket", { bucket: "" }],
  ["a bucket of the server's own kind", { bucket: "_chime" }],
])("a setup with %s is not sent", async (_, wrong) => {
  let asked = 0;
  const at = serve(() => {
    asked++;
    return new Response(null, { status: 500 });
  });
  const right = { username: "chime", password: "long-enough", org: "chime", bucket: "chime", token: "t" };
  const error = await errorOf(setUp(at, { ...right, retentionSeconds: 0, ...wrong }, limits));
  expect(error.code).toBe("influxdb.setup");
  expect(asked).toBe(0);
});

test("an answer that is too long is none", async () => {
  const at = serve(() => new Response("x".repeat(1001)));
  expect(await errorOf(ask(at, { ...ping, maxBytes: 1000 }, limits))).toMatchObject({
    code: "influxdb.answer",
  });
  expect(await ask(at, { ...ping, maxBytes: 1001 }, limits)).toMatchObject({ status: 200 });
});

const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nrows\r\n";

test("a stream that stands still in the middle is late, one that breaks off is an error and no end", async () => {
  const still = await serveRaw((socket) => socket.on("data", () => socket.write(chunked)));
  const asked = (at: Server) => all(stream(at, ping, { timeoutMs: 100 }));
  expect(await errorOf(asked(still))).toMatchObject({ code: "influxdb.timeout" });
  raw?.close();
  const broken = await serveRaw((socket) => socket.on("data", () => socket.end(chunked)));
  expect(await errorOf(asked(broken))).toMatchObject({ code: "influxdb.unreachable" });
});

test("the time that a reader takes is not the server's", async () => {
  const at = await serveRaw((socket) => socket.on("data", () => socket.write(`${chunked}0\r\n\r\n`)));
  for await (const piece of stream(at, ping, { timeoutMs: 100 })) {
    expect(Buffer.from(piece).toString()).toBe("rows");
    await Bun.sleep(300);
  }
});

test("a reader that lets go ends the answer", async () => {
  const gone = Promise.withResolvers<void>();
  const at = await serveRaw((socket) => {
    socket.on("data", () => socket.write(chunked));
    socket.on("close", () => gone.resolve());
  });
  for await (const _ of stream(at, ping, limits)) break;
  await gone.promise;
});

test("a query that failed is an error, though its status says 200", async () => {
  const at = serve(() =>
    Response.json({ results: [{ statement_id: 0 }, { statement_id: 1, error: "no such thing" }] }),
  );
  expect(await errorOf(queryJson(at, database, ["SELECT 1", "SELECT 2"], limits))).toEqual({
    code: "influxdb.query",
    message: `the server at 127.0.0.1:${at.port} does not answer a query: no such thing`,
  });
});

test("tables come by statement; what is no such answer is an error", async () => {
  const series = [{ name: "m", columns: ["time", "count"], values: [[0, 3]] }];
  const at = serve(async (request) => {
    const { searchParams } = new URL(request.url);
    const said = new URLSearchParams(await request.text()).get("q");
    if (request.headers.get("accept") === "application/x-msgpack") {
      return new Response(`${searchParams.get("chunk_size")} rows of ${said}`);
    }
    expect(Object.fromEntries(searchParams)).toEqual({
      db: "chime",
      rp: "autogen",
      org: "chime",
      epoch: "ms",
    });
    return Response.json(said === "A;B" ? { results: [{}, { series }] } : { results: "none" });
  });
  expect(await queryJson(at, database, ["A", "B"], limits)).toEqual([[], [{ tags: {}, ...series[0]! }]]);
  expect(await errorOf(queryJson(at, database, ["C"], limits))).toMatchObject({ code: "influxdb.answer" });
  expect(await all(queryMsgpack(at, database, "A", 5, limits))).toBe("5 rows of A");
});

test("names and texts in a statement end where they should", () => {
  expect(identifier('a"b\\c\nd')).toBe('"a\\"b\\\\c\\nd"');
  expect(literal("it's\\")).toBe("'it\\'s\\\\'");
});

test.skipIf(process.env["CHIME_LONG"] === undefined)(
  "an answer is waited for as long as its caller says, and not only for the runtime's own six minutes",
  async () => {
    const slow = Promise.withResolvers<Response>();
    const timer = setTimeout(() => slow.resolve(new Response("late")), 400_000);
    const from = serve(() => slow.promise);
    const { body } = await ask(from, { ...ping, once: true }, { timeoutMs: 500_000 });
    expect(Buffer.from(body).toString()).toBe("late");
    clearTimeout(timer);
  },
  500_000,
);
