import { expect, test } from "bun:test";
import { awaited, isReady, type Progress } from "../../../src/roles/minio/guard/readiness.ts";

const ready: Progress = {
  lacks: undefined,
  health: { up: true, reads: true, writes: true },
  proven: true,
  attached: true,
  balanced: true,
  trouble: null,
};
const none = { up: false, reads: false, writes: false };

test("a node does its part once objects go through its server, on all drives, and its balancer knows", () => {
  expect(isReady(ready)).toBe(true);
  for (const missing of ["proven", "attached", "balanced"] as const) {
    expect([missing, isReady({ ...ready, [missing]: false })]).toEqual([missing, false]);
  }
});

test.each([
  [{ lacks: "waiting for one more node", health: none, proven: false }, "one more node"],
  [
    { health: none, proven: false, attached: false, trouble: "minio.service failed" },
    "start (minio.service failed)",
  ],
  [{ health: { ...none, up: true }, proven: false, attached: false }, "servers of the other nodes"],
  [{ proven: false, attached: false, trouble: "no answer" }, "go through (no answer)"],
  [{ attached: false, balanced: false }, "find all drives"],
  [{ balanced: false }, "the balancer"],
] as [Partial<Progress>, string][])("what it waits for: %o", (own, line) => {
  expect(awaited({ ...ready, ...own })).toContain(line);
});
