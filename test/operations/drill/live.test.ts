import { expect, test } from "bun:test";
import type { Status } from "../../../src/agent/status.ts";
import { obstacle } from "../../../src/operations/drill/live.ts";
import { missing } from "../../../src/operations/drill/writer.ts";
import type { PairNodeStatus } from "../../../src/roles/types.ts";

const node = (state: PairNodeStatus["state"], change: Partial<PairNodeStatus> = {}) => ({
  name: state,
  state,
  replicating: state === "replica",
  lag_seconds: null,
  semi_sync: true,
  protected: state === "writer",
  ...change,
});
const status = (
  nodes: PairNodeStatus[],
  writable = ["writer"],
  problems: Partial<Status["problems"][0]>[] = [],
) => ({ roles: { mysql: { nodes, writable } }, problems }) as unknown as Status;
const level = [node("writer"), node("replica")];

test.each<[string, Status, string | undefined]>([
  ["level", status(level), undefined],
  [
    "a warning is none",
    status(level, ["writer"], [{ severity: "warning", code: "drift", message: "m" }]),
    undefined,
  ],
  [
    "an error",
    status(level, ["writer"], [{ severity: "error", code: "x", message: "it burns" }]),
    "it burns",
  ],
  [
    "maintenance",
    status(level, ["writer"], [{ severity: "warning", code: "maintenance", message: "m" }]),
    "m",
  ],
  ["two writers", status(level, ["node1", "node2"]), "node1 and node2 writes"],
  ["none", status(level, []), "no node writes"],
  [
    "not protected",
    status([node("writer", { protected: false }), node("replica")]),
    "commits are on one node only",
  ],
  ["alone", status([node("writer")]), "no node replicates"],
  ["another role", { roles: {}, problems: [] } as unknown as Status, "no node serves mysql"],
])("what a pair cannot stand a failure for: %s", (_, seen, why) => {
  expect(obstacle(seen, "mysql")).toBe(why as string);
});

test("missing are those that were acknowledged, not those that were merely tried", () => {
  const acknowledged = [1, 2, 4].map((id) => ({ id, at: id }));
  expect(missing(acknowledged, [1, 3, 4, 5])).toEqual([2]);
});
