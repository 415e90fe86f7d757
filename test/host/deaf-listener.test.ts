import { expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";
import { listenDeaf } from "../../src/host/deaf-listener.ts";
import { freePort, knock } from "./knock.ts";

test("who knocks is neither let in nor turned away until it is closed", async () => {
  const port = await freePort();
  const door = listenDeaf("127.0.0.1", port);
  expect(await knock(port)).toBe("nothing");
  door.close();
  expect(await knock(port)).toBe("ECONNREFUSED");
});

test("a port that another program has for itself is told", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  expect(() => listenDeaf("127.0.0.1", port)).toThrow(expect.objectContaining({ code: "net.deaf_listener" }));
  await new Promise((resolve) => server.close(resolve));
});
