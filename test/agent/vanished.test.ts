import { beforeEach, expect, test } from "bun:test";
import { Vanished, type Neighbour } from "../../src/agent/vanished.ts";
import type { Liveness } from "../../src/cluster/types.ts";

const gone = new Set<string>();
const cut = new Set<string>();
const done: string[] = [];
const told: string[] = [];
let answer: () => Promise<void> = () => Promise.resolve();
const states: Record<string, Liveness> = {};

const nodes = { node2: "10.0.0.12", node3: "10.0.0.13" };
const ports = [9000, 9001];

function neighbours(): Neighbour[] {
  return Object.entries(nodes).flatMap(([node, address]) =>
    ports.map((port) => ({ node, address, port, state: states[node] ?? "alive" })),
  );
}

function watch(): Vanished {
  return new Vanished(
    {
      isThere: (address) => Promise.resolve(!gone.has(address)),
      cutOff({ address, port }) {
        done.push(`cut ${address}:${port}`);
        cut.add(`${address}:${port}`);
        return Promise.resolve();
      },
      letThrough({ address, port }) {
        done.push(`let ${address}:${port}`);
        cut.delete(`${address}:${port}`);
        return Promise.resolve();
      },
      cutOffNow: () =>
        Promise.resolve(
          [...cut].map((text) => ({ address: text.split(":")[0] ?? "", port: Number(text.split(":")[1]) })),
        ),
    },
    neighbours,
    (node) => {
      told.push(node);
      return answer();
    },
  );
}

beforeEach(() => {
  gone.clear();
  cut.clear();
  done.length = 0;
  told.length = 0;
  answer = () => Promise.resolve();
  for (const node of Object.keys(states)) delete states[node];
});

test("while all are alive nobody is asked and nothing is cut", async () => {
  gone.add(nodes.node2);
  await watch().look();
  expect(done).toEqual([]);
});

test.each(["suspect", "dead"] as const)(
  "one that is %s and answers no more is cut off, once",
  async (state) => {
    const vanished = watch();
    gone.add(nodes.node3);
    states["node3"] = state;
    await vanished.look();
    await vanished.look();
    expect(done).toEqual(["cut 10.0.0.13:9000", "cut 10.0.0.13:9001"]);
  },
);

test("a dead agent on a machine that is there costs its servers nothing", async () => {
  states["node3"] = "dead";
  await watch().look();
  expect(done).toEqual([]);
});

test.each([
  ["its agent is heard", () => (states["node3"] = "alive")],
  ["its machine answers, before any agent", () => gone.delete(nodes.node3)],
  ["it was removed", () => (states["node3"] = "left")],
])("it is let through when %s", async (_, back) => {
  const vanished = watch();
  gone.add(nodes.node3);
  states["node3"] = "dead";
  await vanished.look();
  back();
  await vanished.look();
  expect([done.slice(2), cut.size]).toEqual([["let 10.0.0.13:9000", "let 10.0.0.13:9001"], 0]);
});

test("one that is heard again while it is being asked for is not cut off", async () => {
  gone.add(nodes.node3);
  states["node3"] = "suspect";
  const looking = watch().look();
  states["node3"] = "alive";
  await looking;
  expect(done).toEqual([]);
});

test("what an agent cut off that was killed, the next one lets through", async () => {
  gone.add(nodes.node3);
  states["node3"] = "dead";
  await watch().look();
  const next = watch();
  await next.look();
  expect(done).toHaveLength(2);
  gone.clear();
  await next.look();
  expect(cut.size).toBe(0);
});

test("the roles are told of it for a while, after it was cut off", async () => {
  const vanished = watch();
  gone.add(nodes.node3);
  states["node3"] = "dead";
  answer = () => Promise.reject(new Error("deaf"));
  await vanished.look();
  expect([done.length, told]).toEqual([2, ["node3"]]);
  answer = () => Promise.resolve();
  for (let i = 0; i < 100; i++) await vanished.look();
  expect(told).toHaveLength(30);
  // Gone a second time, it is told of a second time.
  gone.clear();
  await vanished.look();
  gone.add(nodes.node3);
  await vanished.look();
  expect(told).toHaveLength(31);
});

test("a role that does not come to an end is told once, and holds nothing up", async () => {
  const vanished = watch();
  gone.add(nodes.node3);
  states["node3"] = "dead";
  answer = () => Promise.withResolvers<void>().promise;
  for (let i = 0; i < 3; i++) await vanished.look();
  gone.clear();
  await vanished.look();
  expect([told, cut.size]).toEqual([["node3"], 0]);
});

test("where nothing is balanced nothing is looked at", async () => {
  const never = () => Promise.reject(new Error("asked"));
  const network = { isThere: never, cutOff: never, letThrough: never, cutOffNow: never };
  const vanished = new Vanished(network, () => [], never);
  await vanished.look();
  await vanished.stop();
});

test("an agent that stops leaves nothing cut off", async () => {
  const vanished = watch();
  gone.add(nodes.node2);
  states["node2"] = "dead";
  await vanished.look();
  await vanished.stop();
  expect([done.length, cut.size]).toEqual([4, 0]);
});
