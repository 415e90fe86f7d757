import { describe, expect, test } from "bun:test";
import { renderMetrics } from "../../src/agent/metrics.ts";
import { reportKey, reportOf, secretsOf } from "../../src/agent/report.ts";
import { clusterStatus } from "../../src/agent/status.ts";
import type { MemberView } from "../../src/cluster/types.ts";
import type { RoleContext } from "../../src/roles/types.ts";
import { context, demoRole, member } from "./members.ts";

const holds = (yes: boolean) => ({
  [reportKey]: { vips: { demo: { state: yes ? "MASTER" : "BACKUP", holds: yes, peers: [] } }, problems: [] },
});

const turn = (node: string, second: number, kind: string) => ({
  at: `2026-11-21T10:00:0${second}.000Z`,
  node,
  role: "demo",
  kind,
  message: "m",
  seconds: 0.2,
  steps: [],
});

function status(members: MemberView[], role = demoRole(undefined)) {
  return clusterStatus({ context: context(members), specVersion: 3, members, roles: [role] });
}

describe("status", () => {
  test("a pair with one VIP holder is healthy", () => {
    const found = status([
      member("node1", { roleState: holds(true) }),
      member("node2", { roleState: holds(false) }),
    ]);
    expect(found).toMatchObject({ healthy: true, problems: [], self: "node1", spec: { version: 3 } });
    expect(found.vips).toEqual([{ role: "demo", address: "10.0.0.30", holders: ["node1"] }]);
  });

  test.each([
    ["nobody", false, false, "vip.nobody"],
    ["both nodes", true, true, "vip.several"],
  ])("%s holding the VIP is an error", (_, first, second, code) => {
    const found = status([
      member("node1", { roleState: holds(first) }),
      member("node2", { roleState: holds(second) }),
    ]);
    expect(found.healthy).toBe(false);
    expect(found.problems.map((problem) => problem.code)).toEqual([code]);
  });

  test.each([
    [
      "joined",
      /yet: node1 is still being set up/,
      "wait for chime-node join on node1, or run it there again",
    ],
    ["ready", /of demo$/, "journalctl -u chime-node -u keepalived on node1 says why none is eligible"],
  ] as const)(
    "nobody holding the VIP of a role that is %s here has its own remedy",
    (phase, message, remedy) => {
      const [problem] = status([
        member("node1", { phase: { demo: phase }, roleState: holds(false) }),
      ]).problems;
      expect(problem).toMatchObject({ code: "vip.nobody", message: expect.stringMatching(message), remedy });
    },
  );

  test("nobody holding the VIP while one node is ready and another's join was broken off: both are said", () => {
    const [problem] = status([
      member("node1", { phase: { demo: "ready" }, roleState: holds(false) }),
      member("node2", { phase: { demo: "installed" }, roleState: holds(false) }),
    ]).problems;
    expect(problem?.message).toEndWith("yet: node2 is still being set up");
    expect(problem?.remedy).toBe(
      "wait for chime-node join on node2, or run it there again; journalctl -u chime-node -u keepalived on node1 says why none is eligible",
    );
  });

  test("a preferred node that the role does not have is a warning", () => {
    const members = ["node1", "node2"].map((name, nth) =>
      member(name, {
        roles: ["influxdb"],
        roleState: {
          [reportKey]: { vips: { influxdb: { state: "MASTER", holds: nth === 0, peers: [] } }, problems: [] },
        },
      }),
    );
    const spec = { roles: { influxdb: { prefer: "node9" } } } as RoleContext["spec"];
    const found = clusterStatus({
      context: { ...context(members), spec },
      specVersion: 3,
      members,
      roles: [{ ...demoRole(undefined), name: "influxdb" }],
    });
    expect(found.problems.map(({ code, severity }) => `${severity} ${code}`)).toEqual(["warning vip.prefer"]);
  });

  test("a dead member is an error; what it said last counts no more", () => {
    const dead = member("node2", {
      state: "dead",
      silentMs: 4200,
      roleState: { [reportKey]: { ...holds(true)[reportKey], problems: [problem("old")] } },
    });
    const found = status([member("node1", { roleState: holds(true) }), dead]);
    expect(found.problems.map((p) => p.code)).toEqual(["member.dead"]);
    expect(found.problems[0]?.message).toContain("4 s");
    expect(found.vips[0]?.holders).toEqual(["node1"]);
  });

  test("one that is refused for its certificate is told from one that is silent", () => {
    const refused = member("node2", {
      state: "dead",
      silentMs: 4200,
      refused: "node2's clock is 3 days ahead",
    });
    const [problem] = status([member("node1", { roleState: holds(true) }), refused]).problems;
    expect(problem).toMatchObject({ code: "member.dead", severity: "error", node: "node2" });
    expect(problem?.message).toBe("node2 (10.0.0.12) is up, and refused here: node2's clock is 3 days ahead");
    expect(problem?.remedy).toContain("timedatectl");
  });

  test("one that left is listed and asked nothing", () => {
    const found = status([
      member("node1", { roleState: holds(true) }),
      member("node2", { state: "left", left: true, roleState: holds(true) }),
    ]);
    expect(found.healthy).toBe(true);
    expect(found.members.map((m) => m.state)).toEqual(["alive", "left"]);
  });

  test("warnings leave the cluster healthy, errors of a role do not", () => {
    const role = (severity: "warning" | "error") =>
      demoRole({
        status: { topology: "t", engine: "e", writable: ["node1"], nodes: [], voters: [] },
        problems: [{ ...problem("demo.x"), severity }],
      });
    const members = [member("node1", { roleState: holds(true) })];
    expect(status(members, role("warning")).healthy).toBe(true);
    expect(status(members, role("error")).healthy).toBe(false);
  });
});

function problem(code: string) {
  return { code, severity: "error" as const, node: "node2", message: "m", remedy: "r" };
}

test("a report that is not one is taken as empty, never believed in part", () => {
  expect(
    reportOf({ roleState: { [reportKey]: { vips: { demo: { state: "KING", holds: true } } } } }),
  ).toEqual({
    vips: {},
    problems: [],
    events: [],
    maintenance: null,
    secrets: null,
  });
});

test("the newest turns of all members by time, and a role's last promotion, which only its own node tells", () => {
  const told = (name: string, events: unknown[]) =>
    member(name, { roleState: { [reportKey]: { vips: {}, problems: [], events } } });
  const found = status(
    [
      told("node1", [turn("node1", 3, "demotion"), turn("node2", 9, "promotion")]),
      told("node2", [turn("node2", 1, "promotion"), turn("node2", 4, "promotion")]),
    ],
    demoRole({ status: { topology: "t", engine: "e", writable: [], nodes: [], voters: [] }, problems: [] }),
  );
  expect(found.history.map(({ node, kind }) => [node, kind])).toEqual([
    ["node2", "promotion"],
    ["node1", "demotion"],
    ["node2", "promotion"],
  ]);
  expect(found.roles["demo"]?.last_promotion?.at).toBe("2026-11-21T10:00:04.000Z");
});

test("metrics: exposition format with escaped labels", () => {
  const found = status(
    [member("node1", { roleState: holds(true) }), member("node2", { roleState: holds(false) })],
    demoRole({
      status: {
        topology: "t",
        engine: "e",
        writable: ["node1"],
        voters: ["node1", "node2"],
        nodes: [
          {
            name: "node1",
            state: "writer",
            replicating: false,
            lag_seconds: null,
            semi_sync: true,
            protected: true,
          },
          {
            name: "node2",
            state: "replica",
            replicating: true,
            lag_seconds: 0,
            semi_sync: true,
            protected: true,
          },
        ],
      },
      problems: [{ ...problem('odd"code\n'), severity: "warning" }],
    }),
  );
  const backend = {
    service: "minio",
    route: "read",
    node: "node2",
    up: true,
    rising: false,
    sessions: 3,
    total: 7,
  };
  const text = renderMetrics(found, "0.1.0", [backend], { forged: 4 });
  expect(text).toContain('chime_node_backend_up{service="minio",route="read",member="node2"} 1\n');
  expect(text).toContain('chime_node_backend_sessions{service="minio",route="read",member="node2"} 3\n');
  expect(text).toContain('chime_node_vip_holder{role="demo",member="node1"} 1\n');
  expect(text).toContain('chime_node_vip_holder{role="demo",member="node2"} 0\n');
  expect(text).toContain('chime_node_problem{code="odd\\"code\\n",severity="warning",node="node2"} 1\n');
  expect(text).toContain('chime_node_lag_seconds{role="demo",member="node2"} 0\n');
  expect(text).not.toContain('chime_node_lag_seconds{role="demo",member="node1"}');
  expect(text).toContain("# TYPE chime_node_refused_datagrams_total counter\n");
  expect(text).toContain('chime_node_refused_datagrams_total{reason="forged"} 4\n');
  for (const line of text.trimEnd().split("\n"))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? -?\d+)$/);
});

test("metrics of a store: drives, what is needed of them, and room", () => {
  const drives = { total: 3, online: 2, healing: 1 };
  const store = {
    topology: "pool",
    engine: "e",
    nodes: [{ name: "node1", state: "serving" as const, drives, binary_sha256: null }],
    drives,
    quorum: { read: 2, write: 3 },
    may_be_lost: { reads: { drives: 1, nodes: 1 }, writes: { drives: 0, nodes: 0 } },
    capacity: { total: 300, free: 200 },
    older_states: null,
  };
  const text = renderMetrics(
    status([member("node1")], demoRole({ status: store, problems: [] })),
    "0.1.0",
    [],
  );
  expect(text).toContain('chime_node_drives{role="demo",member="node1",state="online"} 2\n');
  expect(text).toContain('chime_node_drives{role="demo",member="node1",state="healing"} 1\n');
  expect(text).toContain('chime_node_drives_needed{role="demo",for="write"} 3\n');
  expect(text).toContain('chime_node_store_bytes{role="demo",kind="free"} 200\n');
  expect(text).not.toContain("chime_node_writer{");
});

test("how far it is with its secrets is read by itself; nothing where it says nothing of them, or nonsense", () => {
  const said = (secrets: unknown) => secretsOf({ roleState: { [reportKey]: { secrets } } });
  const state = { current: "1.aaaaaaaa", next: null, used: "0" };
  expect(said({ "demo.password": state })).toEqual({ "demo.password": state });
  expect(said({ "demo.password": { ...state, next: "2" } })).toBeNull();
  expect(said(undefined)).toBeNull();
  expect(secretsOf({ roleState: {} })).toBeNull();
});
