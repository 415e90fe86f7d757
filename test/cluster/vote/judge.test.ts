import { expect, test } from "bun:test";
import { judge } from "../../../src/cluster/vote/judge.ts";
import { isMajority, isTied, type Term } from "../../../src/cluster/vote/term.ts";

function term(number: number, writer: string, ...inSync: string[]): Term {
  return { term: number, writer, in_sync: inSync, voters: ["a", "b", "w"], old_voters: [], tie: "replica" };
}
const both = term(4, "a", "a", "b");

const cases: [name: string, held: Term | null, asked: Term, asker: string, granted: boolean][] = [
  ["the next term, to one in sync", both, term(5, "b", "b"), "b", true],
  ["a later one, too: this voter missed some", both, term(7, "b", "b"), "b", true],
  ["the same again: the answer was lost", both, both, "a", true],
  ["not an older one", both, term(3, "b", "b"), "b", false],
  ["not another one of the same term", both, term(4, "b", "b"), "b", false],
  ["not to one that is not in sync", term(4, "a", "a"), term(5, "b", "b"), "b", false],
  ["not for another node", both, term(5, "a", "a"), "b", false],
  ["not without itself in sync", both, term(5, "b", "a"), "b", false],
  ["nothing by a voter without a record", null, term(1, "a", "a"), "a", false],
];
for (const [name, held, asked, asker, granted] of cases) {
  test(name, () => expect(judge(held, asked, asker, "w") === null).toBe(granted));
}
test("nothing by a member that is no voter", () => {
  expect(judge(both, term(5, "b", "b"), "b", "x")).toBe("it is no voter");
});

const nobody = () => false;
const among =
  (...names: string[]) =>
  (name: string) =>
    names.includes(name);
test("two of three", () => {
  expect(isMajority(both, among("a", "w"), nobody)).toBe(true);
  expect(isMajority(both, among("a"), nobody)).toBe(false);
});
test("both of two", () => {
  const two = { voters: ["a", "b"], old_voters: [] };
  expect(isMajority(two, among("a"), nobody)).toBe(false);
  expect(isMajority(two, among("a", "b"), nobody)).toBe(true);
  expect(isTied(two)).toBe(true);
  // Until both agreed, the one that was alone may decide by itself.
  expect(isTied({ ...two, old_voters: ["a"] })).toBe(false);
});
test("while voters change, both majorities", () => {
  const change = { voters: ["a", "b", "x"], old_voters: ["a", "b", "w"] };
  expect(isMajority(change, among("a", "x"), nobody)).toBe(false);
  expect(isMajority(change, among("a", "b"), nobody)).toBe(true);
  expect(isMajority(change, among("a", "x", "w"), nobody)).toBe(true);
});
test("who left has no voice", () => {
  expect(isMajority({ voters: ["a", "b"], old_voters: [] }, among("a"), among("b"))).toBe(true);
  expect(isMajority(both, among("a"), among("w"))).toBe(false);
  expect(isTied(both)).toBe(false);
});
