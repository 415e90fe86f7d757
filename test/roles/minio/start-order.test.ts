import { describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/core/clock.ts";
import { predecessors, startOrder, untilPreceded } from "../../../src/roles/minio/guard/start-order.ts";
import { s3Port } from "../../../src/roles/minio/layout.ts";
import { storeContext, storeNode } from "./context.ts";

const urls = (count: number, domain = "chime.com") =>
  Array.from({ length: count }, (_, i) => `http://minio${i + 1}.${domain}:9000`);

test("a server that others connect to is started before them", () => {
  // Found with the real server: started in this order all found each other at once, in the reverse one it took 1 to 2 s longer.
  expect(startOrder(urls(3).toReversed())).toEqual(urls(3));
});

test("each is in it once, whatever they are called and though no order may serve all", () => {
  for (const domain of ["a.example", "b.example", "c.example", "d.example"]) {
    for (const count of [1, 2, 3, 4, 8]) {
      expect(startOrder(urls(count, domain)).toSorted()).toEqual(urls(count, domain).toSorted());
    }
  }
});

test("by the places of the nodes, not by their names; the first waits for nobody", () => {
  const places: [number, number][] = [
    [1, 3],
    [2, 1],
    [3, 2],
  ];
  const before = (self: number) => {
    const nodes = places
      .map(([index, slot]) => storeNode(index, { slot, phase: "configured" }))
      .toSorted((a, b) => Number(b.index === self) - Number(a.index === self));
    return predecessors(storeContext(nodes), null).map(({ name }) => name);
  };
  expect([2, 3, 1].map(before)).toEqual([[], ["node2"], ["node2", "node3"]]);
});

describe("whoever goes before", () => {
  const address = "127.0.7.9";
  const context = () => {
    const first = { ...storeNode(1, { phase: "configured" }), address };
    return storeContext([storeNode(2, { phase: "configured" }), first, storeNode(3)]);
  };
  const forMs = 100;

  test("and does not answer, though it takes connections, is not waited for without end", async () => {
    using _ = Bun.listen({ hostname: address, port: s3Port, socket: { data() {} } });
    expect(predecessors(context(), null).map(({ name }) => name)).toEqual(["node1"]);
    await untilPreceded(context(), systemClock, new AbortController().signal, forMs);
  });

  test("is not waited for by an agent that stops", async () => {
    const stop = AbortSignal.abort(new Error("the agent stops"));
    await expect(untilPreceded(context(), systemClock, stop, forMs)).rejects.toThrow("the agent stops");
  });
});
