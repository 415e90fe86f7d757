import { expect, test } from "bun:test";
import { changes } from "../../src/agent/member-events.ts";
import { member } from "./members.ts";

const one = member("node1");
const two = member("node2");

test("a node tells of its own readiness, once, and not of another's", () => {
  const young = { phase: { demo: "configured" as const } };
  const both = [member("node1", young), member("node2", young)];
  expect(changes("node1", both, [one, two])).toEqual([
    { kind: "join", role: "demo", message: "node1 is ready for demo" },
  ]);
  expect(changes("node1", [one, two], [one, two])).toEqual([]);
});

test.each([
  ["alive", "leave"],
  ["suspect", "leave"],
  ["dead", "remove"],
] as const)("one that was %s and is out now: %s, told by the first of the others alone", (state, kind) => {
  const before = [one, two, member("node3", { state })];
  const now = [one, two, member("node3", { state: "left", left: true })];
  expect(changes("node1", before, now)).toMatchObject([{ kind }]);
  expect(changes("node2", before, now)).toEqual([]);
  expect(changes("node1", now, now)).toEqual([]);
});

test("where the first is dead the next one tells", () => {
  const before = [member("node1", { state: "dead" }), two];
  const now = [member("node1", { state: "left", left: true }), two];
  expect(changes("node2", before, now)).toMatchObject([{ kind: "remove", message: "node1 was removed" }]);
});
