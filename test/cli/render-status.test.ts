import { expect, test } from "bun:test";
import type { Status } from "../../src/agent/status.ts";
import { renderPicture, renderStatus, statusLine } from "../../src/cli/render-status.ts";
import { createStyle } from "../../src/cli/style.ts";

const status: Status = {
  cluster: { name: "chime", id: "abc" },
  self: "node1",
  spec: { version: 2 },
  members: [
    {
      name: "node1",
      address: "10.0.0.11",
      roles: ["mysql"],
      state: "alive",
      phase: { mysql: "ready" },
      version: "0.1.0",
    },
    {
      name: "node2",
      address: "10.0.0.12",
      roles: ["mysql"],
      state: "dead",
      phase: { mysql: "ready" },
      version: "0.1.0",
    },
  ],
  vips: [{ role: "mysql", address: "10.0.0.30/32", holders: [] }],
  roles: {
    mysql: {
      topology: "dual-master",
      engine: "mariadb",
      writable: ["node1"],
      last_promotion: null,
      voters: ["node1", "node2", "node3"],
      nodes: [
        {
          name: "node1",
          state: "writer",
          replicating: false,
          lag_seconds: null,
          semi_sync: true,
          protected: false,
        },
        {
          name: "node2",
          state: "down",
          replicating: false,
          lag_seconds: null,
          semi_sync: false,
          protected: false,
        },
      ],
    },
  },
  history: [
    {
      at: "2026-11-21T10:00:04.217Z",
      node: "node1",
      role: "mysql",
      kind: "promotion",
      message: "node1 writes in place of node2, which was silent",
      seconds: 0.041,
      steps: [
        { do: "stop-receiver", ms: 2 },
        { do: "open", ms: 1 },
      ],
    },
  ],
  problems: [
    {
      code: "member.dead",
      severity: "error",
      node: "node2",
      message: "node2 is silent",
      remedy: "bring it back",
    },
    {
      code: "drift",
      severity: "warning",
      node: "node1",
      message: "changed by hand",
      remedy: "chime-node plan",
    },
  ],
  healthy: false,
};

test("people see the verdict first and a remedy below each problem", () => {
  const text = renderStatus(status, createStyle(false));
  expect(text.split("\n")[0]).toBe("chime (abc), spec 2, seen from node1: 1 error, 1 warning");
  expect(text).toContain("node2   10.0.0.12  dead   mysql (ready)  0.1.0");
  expect(text).toContain("mysql  10.0.0.30/32  nobody");
  expect(text).toContain(
    "HISTORY\n2026-11-21 10:00:04Z  node1  mysql  promotion  node1 writes in place of node2, which was silent (0.041 s)\n  stop-receiver 2 ms, open 1 ms\n",
  );
  expect(text).toContain("error member.dead: node2 is silent\n  → bring it back");
  expect(text).not.toContain("\u001B");
});

test("a screen that is too small loses the history, not the problems", () => {
  const text = renderPicture(status, createStyle(false), "10:00:05Z, Ctrl-C ends");
  const order = ["1 error", "MEMBER", "VIP", "PROTECTED", "→ bring it back", "Ctrl-C", "HISTORY"];
  const places = order.map((word) => text.indexOf(word));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

test("a log gets one line that names writer, holder and problems", () => {
  expect(statusLine(status)).toBe(
    "NOT HEALTHY; mysql: node1 writer, node2 down; VIP 10.0.0.30/32 at nobody; member.dead; drift",
  );
});

test("a store: what is online of each node, and what is enough", () => {
  const drives = (online: number, healing = 0) => ({ total: 3, online, healing });
  const store: Status = {
    ...status,
    roles: {
      minio: {
        topology: "pool",
        engine: "minio",
        nodes: [
          { name: "node1", state: "serving", drives: drives(3, 1), binary_sha256: null },
          { name: "node2", state: "down", drives: drives(0), binary_sha256: null },
        ],
        drives: { total: 6, online: 3, healing: 1 },
        quorum: { read: 3, write: 4 },
        may_be_lost: { reads: { drives: 3, nodes: 1 }, writes: { drives: 2, nodes: 0 } },
        capacity: { total: 12 * 2 ** 40, free: 9 * 2 ** 40 },
        older_states: "day",
        last_promotion: null,
      },
    },
  };
  const text = renderStatus(store, createStyle(false));
  expect(text).toContain(
    [
      "MINIO  STATE    DRIVES  HEALING",
      "node1  serving  3 of 3  1",
      "node2  down     0 of 3  -",
      "3 of 6 drives are online: 3 are enough to read, 4 to write, 9 TiB of 12 TiB free",
      "what is written over or deleted is kept for a day, and takes room until then",
      "pool, minio",
    ].join("\n"),
  );
});

test("one drive that is enough, and times that are all still to be compared", () => {
  const drives = { total: 2, online: 2, healing: 0 };
  const node = { name: "node1", state: "serving" as const };
  const both: Status = {
    ...status,
    roles: {
      minio: {
        topology: "mirror",
        engine: "minio",
        nodes: [{ ...node, drives, binary_sha256: null }],
        drives,
        quorum: { read: 1, write: 2 },
        may_be_lost: { reads: { drives: 1, nodes: 0 }, writes: { drives: 0, nodes: 0 } },
        capacity: null,
        older_states: null,
        last_promotion: null,
      },
      influxdb: {
        topology: "twin",
        engine: "influxdb",
        nodes: ["2262-04-17T00:00:00.000Z", "2026-11-12T00:00:00.000Z", null].map((before) => ({
          ...node,
          complete: true,
          gap: null,
          uncompared_before: before,
          binary_sha256: null,
        })),
        last_promotion: null,
      },
    },
  };
  const text = renderStatus(both, createStyle(false));
  expect(text).toContain("2 of 2 drives are online: 1 is enough to read, 2 to write\n");
  const compared = text.slice(text.indexOf("TO BE COMPARED")).split("\n").slice(1, 4);
  expect(compared.map((line) => line.trim().split(/ {2,}/).at(-1))).toEqual([
    "all times",
    "those before 2026-11-12T00:00:00.000Z",
    "-",
  ]);
});
