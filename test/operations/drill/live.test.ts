import { expect, test } from "bun:test";
import type { Status } from "../../../src/agent/status.ts";
import { nextVictim, standsNot } from "../../../src/operations/drill/live.ts";

const names = ["node1", "node2", "node3"];
const store = {
  roles: {
    minio: {
      nodes: names.map((name) => ({ name, drives: { total: 3 } })),
      drives: { total: 9, online: 9, healing: 0 },
      quorum: { write: 7 },
    },
    mysql: { writable: ["node2"], nodes: [] },
  },
  vips: [{ role: "minio", address: "10.77.0.50", holders: ["node3"] }],
  problems: [],
} as unknown as Status;

test("a store's nodes are hit in turn, the VIP's holder first", () => {
  expect([0, 1, 2, 3].map((nth) => nextVictim(store, "minio", nth))).toEqual([
    "node3",
    "node1",
    "node2",
    "node3",
  ]);
});

test("of a pair it is always the writer", () => {
  expect([0, 1].map((nth) => nextVictim(store, "mysql", nth))).toEqual(["node2", "node2"]);
});

test("no fault begins where one of them would be an outage", () => {
  expect(standsNot(store, "minio", ["disk-full", "disk-pulled"])).toBeUndefined();
  expect(standsNot(store, "minio", ["disk-full", "kill"])).toContain("a write needs 7");
});
