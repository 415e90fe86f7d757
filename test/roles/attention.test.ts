import { expect, test } from "bun:test";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Attention } from "../../src/roles/attention.ts";

/** A server that accepts and says nothing. */
async function listen() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    end() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test("the end of a server is told once, at once; after that nobody accepts", async () => {
  const server = await listen();
  const { promise, resolve } = Promise.withResolvers<string>();
  expect(await Attention.open("127.0.0.1", server.port, () => resolve("ended"))).toBeDefined();
  server.end();
  expect(await promise).toBe("ended");
  expect(await Attention.open("127.0.0.1", server.port, () => undefined)).toBeUndefined();
});

test("who closes it is not told", async () => {
  const server = await listen();
  let told = 0;
  const attention = await Attention.open("127.0.0.1", server.port, () => told++);
  attention?.close();
  const next = Promise.withResolvers<void>();
  await Attention.open("127.0.0.1", server.port, next.resolve);
  server.end();
  await next.promise;
  expect(told).toBe(0);
});
