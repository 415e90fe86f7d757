import { afterEach, describe, expect, jest, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Channel, type ChannelOptions } from "../../src/cluster/channel.ts";
import { encodeFrame } from "../../src/cluster/frame.ts";
import { refused, type ChimeError } from "../../src/core/errors.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Two ends of one connection. */
async function sockets(): Promise<{ ours: Socket; theirs: Socket }> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer(resolve);
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const ours = connect((server.address() as { port: number }).port, "127.0.0.1");
  return { ours, theirs: await promise };
}

async function channels(serve: ChannelOptions["serve"]) {
  const { ours, theirs } = await sockets();
  const serving = new Channel(theirs, { limit: 1000, peer: "asker", ...(serve && { serve }) });
  return { asking: new Channel(ours, { limit: 1000, peer: "node2" }), serving, theirs };
}

async function failure(promise: Promise<unknown>): Promise<ChimeError> {
  try {
    await promise;
  } catch (error) {
    return error as ChimeError;
  }
  throw new Error("nothing failed");
}

describe("channel", () => {
  test("answers find their questions, in whatever order they come", async () => {
    const { asking } = await channels(async (_method, params) => {
      await Bun.sleep(params === 1 ? 20 : 0);
      return params;
    });
    const order: unknown[] = [];
    const ask = async (n: number) => order.push(await asking.request("echo", n, 1000));
    await Promise.all([ask(1), ask(2)]);
    expect(order).toEqual([2, 1]);
    asking.close();
  });

  test("bytes arrive as they are, at the question that they answer", async () => {
    const bytes = Buffer.from(Array.from({ length: 990 }, (_, at) => at % 256));
    const { asking } = await channels((_method, params) =>
      Promise.resolve(params === "none" ? new Uint8Array() : params === "json" ? "json" : bytes),
    );
    const answers = await Promise.all(
      ["all", "json", "none"].map((what) => asking.request("read", what, 1000)),
    );
    expect(answers).toEqual([bytes, "json", Buffer.alloc(0)]);
    asking.close();
  });

  test("an error arrives with code, exit class, node and remedy", async () => {
    const { asking } = await channels(async () => {
      throw refused("spec.conflict", "no", "edit it");
    });
    expect(await failure(asking.request("publish", {}, 1000))).toMatchObject({
      code: "spec.conflict",
      exit: 3,
      message: "no",
      node: "node2",
      remedy: "edit it",
    });
    asking.close();
  });

  test("no answer in time, and a connection that ends, are errors of their own", async () => {
    const { asking, theirs } = await channels(() => new Promise(() => undefined));
    expect(await failure(asking.request("hang", {}, 10))).toMatchObject({
      code: "peer.timeout",
      node: "node2",
    });
    const waiting = failure(asking.request("hang", {}, 5000));
    theirs.destroy();
    expect(await waiting).toMatchObject({ code: "peer.unreachable", node: "node2" });
    await asking.closed;
    expect((await failure(asking.request("hang", {}, 10))).code).toBe("peer.unreachable");
  });

  test.each([
    ["no object", 7],
    ["null", null],
    ["nothing in it", {}],
    ["an id that is none", { id: "x", method: "echo" }],
    ["a method that is none", { id: 1, method: 3 }],
    ["a method that is too long", { id: 1, method: "m".repeat(65) }],
    ["an error without a code", { id: 1, error: {} }],
    ["an oversized frame", { id: 1, method: "echo", params: "x".repeat(1000) }],
  ])("%s closes the connection without an answer", async (_what, message) => {
    const { ours, theirs } = await sockets();
    const serving = new Channel(theirs, { limit: 1000, peer: "asker", serve: async () => "answer" });
    let answered = 0;
    ours.on("data", () => answered++);
    ours.write(encodeFrame(message));
    await serving.closed;
    expect(answered).toBe(0);
  });

  test("a side that serves nothing is not asked twice", async () => {
    const { asking } = await channels(undefined);
    expect((await failure(asking.request("echo", {}, 1000))).code).toBe("peer.unreachable");
  });

  test("more questions at once than are worked on close the connection", async () => {
    const { asking } = await channels(() => new Promise(() => undefined));
    const all = Array.from({ length: 70 }, () => failure(asking.request("hang", {}, 5000)));
    for (const error of await Promise.all(all)) expect(error.code).toBe("peer.unreachable");
  });

  test("a frame that does not end within 5 s closes the connection; one that does, does not", async () => {
    const { ours, theirs } = await sockets();
    const channel = new Channel(theirs, { limit: 1000, peer: "asker", serve: async () => "answer" });
    const frame = encodeFrame({ id: 1, method: "echo" });
    jest.useFakeTimers();
    try {
      theirs.emit("data", frame.subarray(0, 5));
      jest.advanceTimersByTime(4_900);
      theirs.emit("data", frame.subarray(5));
      jest.advanceTimersByTime(60_000);
      expect(theirs.destroyed).toBe(false);
      theirs.emit("data", frame.subarray(0, 5));
      jest.advanceTimersByTime(4_900);
      theirs.emit("data", frame.subarray(5, 6));
      jest.advanceTimersByTime(101);
      expect(theirs.destroyed).toBe(true);
    } finally {
      jest.useRealTimers();
    }
    await channel.closed;
    ours.destroy();
  });
});
