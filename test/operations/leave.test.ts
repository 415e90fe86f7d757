import { expect, test } from "bun:test";
import { rolesToHandOver } from "../../src/operations/leave.ts";
import { storeNode } from "../roles/minio/context.ts";

test("a node hands over what it has, but not twice", () => {
  const self = { name: "node1", index: 1 };
  const other = storeNode(2);
  expect(rolesToHandOver({ members: [storeNode(1), other] }, self)).toEqual(["minio"]);
  expect(rolesToHandOver({ members: [storeNode(1, { liveness: "left" }), other] }, self)).toEqual([]);
});

test("what it was before it left and came back is nothing to hand over", () => {
  const members = [storeNode(1, { liveness: "left" }), storeNode(3, { name: "node1" })];
  expect(rolesToHandOver({ members }, { name: "node1", index: 3 })).toEqual(["minio"]);
});
