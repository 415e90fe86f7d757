import { expect, test } from "bun:test";
import { awaited, behind, isReady, type Progress } from "../../../src/roles/minio/guard/readiness.ts";
import { storeNode } from "./context.ts";

const ready: Progress = {
  lacks: undefined,
  health: { up: true, reads: true, writes: true },
  others: [],
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
  [
    { health: { ...none, up: true }, others: ["node2 is not heard"], proven: false, attached: false },
    "other nodes; node2 is not heard",
  ],
  [{ proven: false, attached: false, trouble: "no answer" }, "go through (no answer)"],
  [{ attached: false, balanced: false }, "find all drives"],
  [{ balanced: false }, "the balancer"],
] as [Partial<Progress>, string][])("what it waits for: %o", (own, line) => {
  expect(awaited({ ...ready, ...own })).toContain(line);
});

test("whom it waits for: who is not heard, and whose join has not got so far", () => {
  const found = behind("node1", [
    storeNode(1, { phase: "installed" }),
    storeNode(2, { phase: "installed" }),
    storeNode(3, { phase: "configured" }),
    storeNode(4, { liveness: "dead" }),
  ]);
  expect(found).toEqual([
    "node2 is still being set up: if nobody is at it, chime-node join --role minio there",
    "node4 is not heard",
  ]);
});
