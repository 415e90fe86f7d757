import { expect, test } from "bun:test";
import { obstacle, type Fault } from "../../src/agent/obstacle.ts";
import type { Status } from "../../src/agent/status.ts";
import type { PairNodeStatus } from "../../src/roles/types.ts";

type Problems = Partial<Status["problems"][0]>[];

const node = (state: PairNodeStatus["state"], change: Partial<PairNodeStatus> = {}) => ({
  name: state,
  state,
  replicating: state === "replica",
  lag_seconds: null,
  semi_sync: true,
  protected: state === "writer",
  ...change,
});
const status = (nodes: PairNodeStatus[], writable = ["writer"], problems: Problems = []) =>
  ({ roles: { mysql: { nodes, writable } }, problems }) as unknown as Status;
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

/** `each` drives on so many nodes. */
function store(
  nodes: number,
  each: number,
  write: number,
  change: object = {},
  problems: Problems = [],
  topology = "pool",
) {
  const total = nodes * each;
  const drives = { total, online: total, healing: 0, ...change };
  const found = Array.from({ length: nodes }, () => ({ drives: { total: each } }));
  return {
    roles: { minio: { topology, nodes: found, drives, quorum: { write } } },
    problems,
  } as unknown as Status;
}

const twin = (state: string, complete: boolean) => ({ name: state, state, complete });
const twins = (...nodes: ReturnType<typeof twin>[]) =>
  ({ roles: { influxdb: { topology: "twin", nodes } }, problems: [] }) as unknown as Status;
const whole = twins(twin("serving", true), twin("serving", true));

test.each<[string, Status, Fault, string | undefined]>([
  ["a kill", whole, "kill", undefined],
  ["a hang", whole, "hang", undefined],
  ["a full disk", whole, "disk-full", undefined],
  [
    "a disk that is pulled",
    whole,
    "disk-pulled",
    "twins have no disk that can be taken away from under them",
  ],
  [
    "one that lacks something",
    twins(twin("serving", true), twin("serving", false)),
    "hang",
    "not both servers have everything",
  ],
  ["one alone", twins(twin("serving", true)), "kill", "not both servers have everything"],
])("what twins cannot stand: %s", (_, seen, fault, why) => {
  expect(obstacle(seen, "influxdb", fault)).toBe(why as string);
});

test.each<[string, Status, "kill" | "disk-full", string | undefined]>([
  ["3 × 3, a node", store(3, 3, 5), "kill", undefined],
  ["2 × 3, a node", store(2, 3, 4), "kill", "it has 3 of 6 drives then, and a write needs 4"],
  ["2 × 3, a disk", store(2, 3, 4), "disk-full", undefined],
  ["a mirror, a node", store(2, 3, 2, {}, [], "mirror"), "kill", undefined],
  ["a mirror, a disk", store(2, 3, 2, {}, [], "mirror"), "disk-full", undefined],
  [
    "a mirror of one",
    store(1, 3, 2, {}, [], "mirror"),
    "kill",
    "it has 0 of 3 drives then, and a write needs 2",
  ],
  ["a mirror of one, a disk", store(1, 3, 2, {}, [], "mirror"), "disk-full", undefined],
  [
    "a mirror that lacks a drive",
    store(2, 3, 2, { online: 5 }, [], "mirror"),
    "disk-full",
    "5 of 6 drives are online",
  ],
  ["a drive is away", store(3, 3, 5, { online: 8 }), "disk-full", "8 of 9 drives are online"],
  ["a drive is healing", store(3, 3, 5, { healing: 1 }), "kill", "1 of 9 drives are being filled"],
  [
    "objects are on some drives alone",
    store(3, 3, 5, {}, [{ severity: "warning", code: "minio.completing", message: "m" }]),
    "kill",
    "m",
  ],
  [
    "the layout has no margin left, which is always so",
    store(3, 3, 5, {}, [{ severity: "warning", code: "minio.margin", message: "m" }]),
    "kill",
    undefined,
  ],
])("what a store cannot stand: %s", (_, seen, fault, why) => {
  expect(obstacle(seen, "minio", fault)).toBe(why as string);
});
