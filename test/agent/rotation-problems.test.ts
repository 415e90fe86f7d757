import { expect, test } from "bun:test";
import { rotationProblems } from "../../src/agent/rotation-problems.ts";

test("a rotation that waits is told of after a minute, with whom it waits for", () => {
  const awaiting = "waiting for node3 to hold the new key";
  const progress = () => ({ done: false, version: 1, awaiting, away: [] });
  expect(rotationProblems("node1", { underWayMs: 0, progress })).toEqual([]);
  expect(rotationProblems("node1", { underWayMs: 59_999, progress })).toEqual([]);
  expect(rotationProblems("node1", { underWayMs: 60_000, progress })).toMatchObject([
    { code: "keys.rotating", severity: "warning", node: "node1", message: expect.stringContaining(awaiting) },
  ]);
});
