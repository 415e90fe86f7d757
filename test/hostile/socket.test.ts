import { afterAll, beforeAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { socketHandlers } from "../../src/agent/methods.ts";
import { callAgent, serveSocket } from "../../src/agent/socket.ts";
import { failed } from "../../src/core/errors.ts";
import { onslaught } from "./onslaught.ts";

/** The agent's socket, which root alone opens: another release of this program may ask, or a script that errs. */
const directory = mkdtempSync(join(tmpdir(), "chime-hostile-"));
const path = join(directory, "agent.sock");
let socket: { stop(): void };

/** Stands for all that an agent has: whatever is asked of it says that it was reached. */
const reached: unknown = new Proxy(() => undefined, {
  get: () => reached,
  apply() {
    throw failed("test.reached", "the question was understood");
  },
});
const handlers = socketHandlers(reached as Parameters<typeof socketHandlers>[0]);
/** These read nothing of what they are given, or what is in a file of this machine. */
const methods = Object.keys(handlers).filter((name) => !name.startsWith("bundle.") && name !== "history");

beforeAll(() => {
  socket = serveSocket({ ...handlers, echo: (params) => Promise.resolve(params) }, path);
});
afterAll(() => {
  socket.stop();
  rmSync(directory, { recursive: true });
});

onslaught("questions at the socket", {
  make: (inputs) => ({
    method: inputs.once(4) ? inputs.key() : inputs.pick(methods),
    body: inputs.damagedJson({
      role: "mysql",
      phase: "ready",
      roles: ["mysql"],
      method: "x",
      params: {},
      to: "node2",
      word: null,
      on: true,
      accept: false,
      toml: "",
      base: 1,
      ttlMs: 1,
      uses: null,
      id: "abcd1234",
      node: "node2",
      fault: "agent",
      message: "m",
      drift: true,
    }),
  }),
  async parse({ method, body }) {
    // Of a longer one Bun itself says no.
    const name = encodeURIComponent(method.toWellFormed().slice(0, 500));
    const request = { unix: path, method: "POST", body };
    const response = await fetch(`http://agent/${name}`, request as RequestInit);
    return { status: response.status, reply: (await response.json()) as { error?: { code: string } } };
  },
  async holds({ status, reply }) {
    const { code = "" } = reply.error ?? {};
    if (status !== 200 || !/^(test\.reached|agent\.(bad_request|unknown_method)|)$/.test(code)) {
      throw new Error(`it answered ${status} ${JSON.stringify(reply)}`);
    }
    if ((await callAgent<number>("echo", [1], { path })).toString() !== "1")
      throw new Error("others are not served");
  },
  fewer: 5,
});

onslaught("bytes at the socket", {
  make: (inputs) =>
    inputs.damagedText("POST /status HTTP/1.1\r\nHost: agent\r\nContent-Length: 2\r\n\r\n{}", [
      "\r\n\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Content-Length: 99999999999\r\n",
      "/../..",
      "\0",
    ]),
  parse: (text) =>
    new Promise<number>((resolve) => {
      let bytes = 0;
      const client = connect(path, () => client.end(text));
      client.on("data", (chunk: Buffer) => void (bytes += chunk.length));
      client.on("error", () => undefined);
      client.setTimeout(200, () => client.destroy());
      client.once("close", () => resolve(bytes));
    }),
  async holds(bytes) {
    if (bytes > 4_096) throw new Error(`it answered with ${bytes} bytes`);
    if ((await callAgent<number>("echo", [1], { path })).toString() !== "1")
      throw new Error("others are not served");
  },
  fewer: 10,
});
