import { expect, test } from "bun:test";
import type { Term } from "../../../src/cluster/vote/term.ts";
import { hasVote, termByWord } from "../../../src/cluster/vote/word.ts";

const newest: Term = {
  term: 41,
  writer: "node1",
  in_sync: ["node1", "node2"],
  voters: ["node1", "node2", "node3"],
  old_voters: [],
  tie: "replica",
};
const node1 = { name: "node1", index: 1 };
const node2 = { name: "node2", index: 2 };
const nobodyLeft = () => false;

test("the voters stay, and who may hold more is named", () => {
  expect(termByWord(newest, node2, ["node1"], nobodyLeft)).toEqual({
    term: 1_002_000,
    writer: "node2",
    in_sync: ["node2"],
    voters: ["node2", "node1", "node3"],
    old_voters: [],
    tie: "replica",
    overruled: ["node1"],
  });
  expect(termByWord(newest, node2, [], (name) => name === "node1").voters).toEqual(["node2", "node3"]);
});

test("no number is given twice, whoever hears of what", () => {
  const one = termByWord(newest, node1, [], nobodyLeft);
  const other = termByWord(newest, node2, [], nobodyLeft);
  const again = termByWord(one, node1, [], nobodyLeft);
  expect(new Set([one, other, again].map(({ term }) => term)).size).toBe(3);
  // What votes give afterwards stays below the next word.
  expect(termByWord({ ...other, term: other.term + 500 }, node1, [], nobodyLeft).term).toBeGreaterThan(
    other.term + 500,
  );
});

test("while voters change, the old ones still decide alone", () => {
  const joining: Term = { ...newest, voters: ["node1", "node2"], old_voters: ["node1"] };
  expect(hasVote(joining, "node2")).toBe(false);
  expect(hasVote({ ...joining, old_voters: [] }, "node2")).toBe(true);
});
