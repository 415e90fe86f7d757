import { expect, test } from "bun:test";
import { judged } from "../../../src/operations/drill/conceded.ts";
import type { ObjectFault } from "../../../src/operations/drill/objects.ts";

const fault = (problem: ObjectFault["problem"]): ObjectFault => ({
  key: problem,
  problem,
  unanswered: false,
});
const problems = ["lost", "old", "undeleted", "changed"] as const;
const all = problems.map(fault);

test("a pool concedes nothing", () => {
  expect(judged("pool", { node1: all, node2: [], node3: null }, all)).toEqual({
    missing: { node1: 4, node2: 0, node3: null },
    misread: 4,
    conceded: null,
  });
});

test("of a mirror what is lost or changed at the end counts, and a deletion that one did not hear of is conceded", () => {
  const { missing, conceded } = judged(
    "mirror",
    { node1: all, node2: [fault("undeleted")], node3: null },
    [],
  );
  expect(missing).toEqual({ node1: 3, node2: 0, node3: null });
  expect(conceded).toEqual({ older_reads: 0, undeleted: { node1: 1, node2: 1, node3: 0 } });
});

test.each([
  ["lost", 0, 1],
  ["old", 0, 1],
  ["undeleted", 0, 1],
  ["changed", 1, 0],
] as const)("a read under way of a mirror that gives %s", (problem, misread, older) => {
  const found = judged("mirror", { node1: [] }, [fault(problem)]);
  expect([found.misread, found.conceded?.older_reads]).toEqual([misread, older]);
});
