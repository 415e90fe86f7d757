import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { paths } from "../../../src/core/paths.ts";
import type { MemberView } from "../../../src/cluster/types.ts";
import { minioStatus } from "../../../src/roles/minio/status.ts";
import { allSeen, storeContext, storeNode } from "./context.ts";

const of = (...members: MemberView[]) => minioStatus(storeContext(members), members);
const codes = (...members: MemberView[]) =>
  of(...members).problems.map(({ code, severity, node }) => `${severity} ${code} ${node}`);

test("a whole store", () => {
  const { status, problems } = of(storeNode(1), storeNode(2, { olderStates: "day" }), storeNode(3));
  expect(problems).toEqual([]);
  const drives = { total: 3, online: 3, healing: 0 };
  const node = (name: string) => ({ name, state: "serving" as const, drives, binary_sha256: null });
  expect(status).toEqual({
    topology: "pool",
    engine: "silo",
    nodes: [node("node1"), node("node2"), node("node3")],
    drives: { total: 9, online: 9, healing: 0 },
    quorum: { read: 5, write: 5 },
    may_be_lost: { reads: { drives: 4, nodes: 1 }, writes: { drives: 4, nodes: 1 } },
    capacity: { total: 9e12, free: 8e12 },
    older_states: "day",
  });
});

describe("what is wrong", () => {
  const without2 = { ...allSeen, nodes: allSeen.nodes.filter(({ slot }) => slot !== 2) };
  const degraded = {
    ...allSeen,
    nodes: allSeen.nodes.map((one) =>
      one.slot === 2 ? { slot: 2, drives: { total: 3, online: 2, healing: 1 } } : one,
    ),
  };
  const cases: [what: string, members: MemberView[], codes: string[]][] = [
    [
      "a node has not come yet",
      [1, 2].map((index) => storeNode(index, { phase: "installed", silent: true })),
      ["warning minio.incomplete node1"],
    ],
    [
      "a node was removed, and no other one has its place",
      [storeNode(1, { seen: without2 }), storeNode(3)],
      ["error minio.incomplete node1"],
    ],
    [
      "one was removed, and another one is dead",
      [storeNode(1, { writable: false }), storeNode(3, { liveness: "dead" })],
      ["error minio.incomplete node1", "error minio.read_only node1", "error minio.node_down node3"],
    ],
    [
      "all are being set up",
      [1, 2, 3].map((index) => storeNode(index, { phase: "installed", silent: true })),
      [],
    ],
    [
      "one is dead",
      [storeNode(1, { seen: without2 }), storeNode(2, { liveness: "dead" }), storeNode(3)],
      ["error minio.node_down node2"],
    ],
    [
      "one waits",
      [storeNode(1), storeNode(2, { state: "waiting", detail: "for others" }), storeNode(3)],
      ["error minio.node_down node2"],
    ],
    [
      "a drive is missing and one is healing",
      [storeNode(1, { seen: degraded }), storeNode(2), storeNode(3)],
      ["error minio.drive_missing node2", "warning minio.healing node2"],
    ],
    ["nobody tells of drives yet", [1, 2, 3].map((index) => storeNode(index, { seen: null })), []],
    [
      "no write quorum",
      [1, 2, 3].map((index) => storeNode(index, { writable: false })),
      ["error minio.read_only node1, node2, node3"],
    ],
    [
      "nobody serves",
      [1, 2, 3].map((index) => storeNode(index, { state: "down" })),
      ["error minio.down node1, node2, node3"],
    ],
    [
      "objects may be incomplete",
      [storeNode(1), storeNode(2, { owes: true }), storeNode(3)],
      ["warning minio.completing node2"],
    ],
    [
      "a drive is full",
      [storeNode(1), storeNode(2, { full: ["/minio/disk2"] }), storeNode(3)],
      ["error minio.drive_full node2"],
    ],
    [
      "a drive is slow",
      [storeNode(1), storeNode(2, { slow: ["/minio/disk2"] }), storeNode(3)],
      ["warning minio.drive_slow node2"],
    ],
    [
      "the bucket keeps no older states",
      [storeNode(1, { olderStates: "none" }), storeNode(2), storeNode(3)],
      ["warning minio.unversioned node1"],
    ],
    [
      "an operator has said what becomes of them",
      [storeNode(1, { olderStates: "own" }), storeNode(2), storeNode(3)],
      [],
    ],
    [
      "other programs",
      [storeNode(1, { binary: "a".repeat(64) }), storeNode(2, { binary: "b".repeat(64) }), storeNode(3)],
      ["error minio.programs_differ node1, node2, node3"],
    ],
  ];
  test.each(cases)("%s", (_, members, expected) => {
    expect(codes(...members)).toEqual(expected);
  });
});

test("drives of a dead node are not counted as online, whatever it said last", () => {
  const seen = { ...allSeen, nodes: allSeen.nodes.filter(({ slot }) => slot !== 1) };
  const { status } = of(storeNode(1, { liveness: "dead" }), storeNode(2, { seen }), storeNode(3, { seen }));
  expect(status.drives.online).toBe(6);
  expect(status.nodes.map(({ state }) => state)).toEqual(["down", "serving", "serving"]);
});

test("what this node has noted on its disk is not looked at: every node tells the same", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chime-status-"));
  const known: { minioSlot: string } = paths;
  const before = known.minioSlot;
  try {
    known.minioSlot = join(directory, "minio-slot");
    await writeFile(known.minioSlot, "3");
    const degraded = { ...allSeen, nodes: allSeen.nodes.filter(({ slot }) => slot !== 1) };
    const { status } = of(storeNode(1, { seen: degraded }), storeNode(2), storeNode(3));
    expect(status.nodes.map(({ drives }) => drives.online)).toEqual([0, 3, 3]);
  } finally {
    known.minioSlot = before;
    await rm(directory, { recursive: true });
  }
});

test("two nodes are told what they are, as long as they are", () => {
  const members = [storeNode(1), storeNode(2)];
  const { problems } = minioStatus(storeContext(members, "nodes = 2"), members);
  expect(problems.map(({ code, severity }) => `${severity} ${code}`)).toEqual(["warning minio.margin"]);
  expect(problems[0]?.message).toContain("read-only");
});
