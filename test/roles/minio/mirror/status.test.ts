import { expect, test } from "bun:test";
import type { MemberView } from "../../../../src/cluster/types.ts";
import { mirrorStatus } from "../../../../src/roles/minio/mirror/status.ts";
import { mirrorWell, storeContext, storeNode, type Mirror, type Said } from "../context.ts";

const seen = {
  nodes: [{ slot: 1, drives: { total: 3, online: 3, healing: 0 } }],
  capacity: { total: 3e12, free: 2e12 },
};
function node(index: number, mirror: Partial<Mirror> = {}, said: Said = {}): MemberView {
  return storeNode(index, { slot: null, seen, mirror: { ...mirrorWell, ...mirror }, ...said });
}
const of = (...members: MemberView[]) => mirrorStatus(storeContext(members, 'topology = "mirror"'), members);
const codes = (...members: MemberView[]) =>
  of(...members).problems.map(({ code, severity, node }) => `${severity} ${code} ${node}`);
const margin = "warning minio.margin node1";

test("two stores that are level; each of them holds everything", () => {
  const { status, problems } = of(node(1), node(2));
  expect(problems.map(({ code }) => code)).toEqual(["minio.margin"]);
  expect(problems[0]?.message).toContain("a moment after the answer");
  expect(status).toMatchObject({
    topology: "mirror",
    drives: { total: 6, online: 6, healing: 0 },
    quorum: { read: 2, write: 2 },
    may_be_lost: { reads: { drives: 3, nodes: 1 }, writes: { drives: 3, nodes: 1 } },
    capacity: seen.capacity,
    older_states: null,
  });
});

const back = { state: "waiting", detail: "waiting to have all that node1 has" } as const;
test.each([
  ["one alone", [node(1)], ["warning minio.incomplete node1"]],
  ["both are being set up", [node(1, {}, { phase: "installed" }), node(2, {}, { phase: "installed" })], []],
  [
    "one is dead",
    [node(1, { alone: "2026-11-22T01:00:00Z" }), node(2, {}, { liveness: "dead" })],
    ["error minio.node_down node2", margin],
  ],
  ["one is back", [node(1), node(2, { current: false }, back)], ["error minio.mirror_behind node2", margin]],
  [
    "the link is down",
    [node(1, { reached: false }), node(2)],
    ["error minio.mirror_not_reached node1", margin],
  ],
  [
    "it is not set up",
    [node(1, { enabled: false, trouble: "two with data" }), node(2)],
    ["error minio.mirror_not_set_up node1", margin],
  ],
  ["nothing is known of it yet", [node(1, { enabled: null }), node(2, { enabled: null })], [margin]],
  [
    "one came back alone",
    [node(1, {}, { liveness: "dead" }), node(2, { current: false }, back)],
    [
      "error minio.down node1, node2",
      "error minio.node_down node1",
      "error minio.mirror_behind node2",
      margin,
    ],
  ],
] as const)("%s", (_, members, expected) => {
  expect(codes(...members)).toEqual([...expected]);
});

test("one that came back alone names the one that it waits for, and the word that ends the waiting", () => {
  const { problems } = of(node(1, {}, { liveness: "dead" }), node(2, { current: false }, back));
  expect(problems[0]?.remedy).toContain("chime-node remove node1");
});
