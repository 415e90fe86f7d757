import { afterEach, expect, test } from "bun:test";
import { Clocks } from "../../../src/roles/minio/guard/clocks.ts";

let server: Bun.Server<undefined> | undefined;
afterEach(() => server?.stop(true));

const node = (name: string) => ({ name, address: "127.0.0.1" });

/** What node1 says of a store whose servers' clocks are so many ms ahead of its own. */
async function told(ms: number | null, nodes = ["node1", "node2"]): Promise<string[]> {
  const headers = (): Record<string, string> =>
    ms === null ? { date: "yesterday" } : { date: new Date(Date.now() + ms).toUTCString() };
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("", { headers: headers() }),
  });
  const clocks = new Clocks();
  await clocks.look(node("node1"), nodes.map(node), new AbortController().signal, { port: server.port ?? 0 });
  return clocks.problems("node1").map(({ message }) => message.split(":")[0] ?? "");
}

test("a clock that is minutes off is told", async () => {
  expect(await told(3 * 60_000)).toEqual(["the clock of node2 is 3 minutes ahead of that of node1"]);
  await server?.stop(true);
  expect(await told(-20 * 60_000)).toEqual(["the clock of node2 is 20 minutes behind that of node1"]);
});

test("seconds are not, nor what nobody says", async () => {
  for (const ms of [0, 30_000, -30_000, null]) {
    expect(await told(ms)).toEqual([]);
    await server?.stop(true);
  }
});

test("of two nodes one speaks, and none of itself", async () => {
  expect(await told(600_000, ["node0", "node1", "node2", "node3"])).toHaveLength(2);
});
