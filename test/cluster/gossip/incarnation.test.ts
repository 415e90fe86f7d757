import { expect, test } from "bun:test";
import { credible, outdoes, refutation } from "../../../src/cluster/gossip/incarnation.ts";
import type { Statement } from "../../../src/cluster/gossip/types.ts";

type Word = Pick<Statement, "state" | "incarnation">;

/** From the one that everything outdoes to the one that nothing does. */
const order: Word[] = [
  { state: "alive", incarnation: 1 },
  { state: "suspect", incarnation: 1 },
  { state: "dead", incarnation: 1 },
  { state: "alive", incarnation: 2 },
  { state: "suspect", incarnation: 2 },
  { state: "dead", incarnation: 2 },
];

test("of two statements the same one holds, whichever comes first", () => {
  for (const [i, a] of order.entries()) {
    for (const [j, b] of order.entries()) expect(outdoes(a, b)).toBe(i > j);
  }
});

test.each<[string, Statement["state"], number, number | undefined]>([
  ["suspect as it is", "suspect", 5, 6],
  ["dead as it is", "dead", 5, 6],
  ["dead in a life to come", "dead", 9, 10],
  ["alive in a life that it lost the memory of", "alive", 7, 8],
  ["alive", "alive", 5, undefined],
  ["dead in a former life", "dead", 4, undefined],
  ["dead in the last life that there is", "dead", Number.MAX_SAFE_INTEGER, undefined],
])("a member in its 5th incarnation hears that it is %s", (_, state, incarnation, answer) => {
  expect(refutation({ index: 1, state, incarnation, from: 2 }, 5)).toBe(answer);
});

test("no word of others brings a member near the last incarnation", () => {
  expect(credible(1_000_005, 5)).toBe(true);
  expect(credible(1_000_006, 5)).toBe(false);
});
