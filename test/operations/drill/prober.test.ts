import { expect, test } from "bun:test";
import { dualMoments, type Probe } from "../../lab/prober.ts";

const probe = (node: string, sent: number, acknowledged = sent + 2): Probe => ({ node, sent, acknowledged });

test("a change of writer is none, there and back either", () => {
  const there = [0, 10, 20].map((at) => probe("node1", at));
  const over = [200, 210, 220].map((at) => probe("node2", at));
  const back = [400, 410].map((at) => probe("node1", at));
  expect(dualMoments([...there, ...over, ...back])).toEqual([]);
});

test("an acknowledgement that was late on its way is none", () => {
  expect(
    dualMoments([probe("node1", 0), probe("node1", 10, 230), probe("node2", 200), probe("node2", 240)]),
  ).toEqual([]);
});

test("both in turns are, whatever the order they are told in", () => {
  const both = [0, 10, 20, 30].flatMap((at) => [probe("node1", at), probe("node2", at + 5)]);
  expect(dualMoments(both.toReversed()).length).toBe(6);
});
