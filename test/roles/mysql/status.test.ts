import { describe, expect, test } from "bun:test";
import type { MemberView, Phase } from "../../../src/cluster/types.ts";
import type { Term } from "../../../src/cluster/vote/term.ts";
import type { RoleContext } from "../../../src/roles/types.ts";
import { publishedBy, roundLag, type Published } from "../../../src/roles/mysql/published.ts";
import { mysqlStatus } from "../../../src/roles/mysql/status.ts";
import { sampleMember } from "../../samples.ts";
import { published, term } from "./views.ts";

const context = {
  cluster: { name: "chime", id: "1" },
  spec: {
    failover: { policy: "available" },
    roles: { mysql: { topology: "dual-master", engine: "mariadb" } },
  },
} as unknown as RoleContext;

function member(
  index: number,
  said: Published | undefined,
  state: MemberView["state"] = "alive",
  phase: Phase = "ready",
): MemberView {
  return {
    ...sampleMember({ name: `node${index}`, index, address: `10.0.0.${index}` }),
    roles: ["mysql"],
    phase: { mysql: phase },
    roleState: said ? { mysql: said } : {},
    state,
    silentMs: 0,
    refused: null,
  };
}

const both: Term = { ...term(4, "node1", "node1", "node2"), voters: ["node1", "node2", "node3"] };
const writer = published({ term: both, state: "writer", able: true, semi_sync: true, protected: true });
const replica = published({ term: both, follows: "node1", able: true, semi_sync: true, lag: 0 });
const codes = (...members: MemberView[]) =>
  mysqlStatus(context, members).problems.map(({ code, severity }) => `${severity} ${code}`);

test("a whole pair", () => {
  const { status, problems } = mysqlStatus(context, [member(1, writer), member(2, replica)]);
  expect(problems).toEqual([]);
  expect(status).toEqual({
    topology: "dual-master",
    engine: "mariadb",
    writable: ["node1"],
    voters: ["node1", "node2", "node3"],
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
        protected: false,
      },
    ],
  });
});

describe("what is wrong", () => {
  const lone = { ...writer, protected: false };
  test("one node: not highly available yet", () =>
    expect(codes(member(1, lone))).toEqual(["warning mysql.no_replica"]));
  test("a second that is still being installed is none yet", () =>
    expect(codes(member(1, lone), member(2, undefined, "alive", "installed"))).toEqual([
      "warning mysql.no_replica",
    ]));
  test("a replica that is down", () =>
    expect(codes(member(1, lone), member(2, published({ state: "down" })))).toEqual([
      "error mysql.replica_down",
    ]));
  test("a replica that is dead, whatever it said last", () =>
    expect(codes(member(1, lone), member(2, replica, "dead"))).toEqual(["error mysql.replica_down"]));
  test("a replica that catches up", () =>
    expect(codes(member(1, lone), member(2, { ...replica, able: false }))).toEqual([
      "warning mysql.unprotected",
    ]));
  test("quarantine", () =>
    expect(codes(member(1, lone), member(2, published({ state: "quarantined", detail: "0-2-7" })))).toEqual([
      "error mysql.quarantined",
    ]));
  test("an applier that stopped", () =>
    expect(
      codes(member(1, lone), member(2, published({ state: "broken", detail: "duplicate key" }))),
    ).toEqual(["error mysql.replication_broken"]));
  test("two writers", () =>
    expect(codes(member(1, writer), member(2, writer))).toContain("error mysql.two_writers"));
  test("nobody writes: the one that holds everything is to come back", () => {
    const { problems } = mysqlStatus(context, [
      member(1, undefined, "dead"),
      member(2, { ...replica, term: { ...both, term: 5, in_sync: ["node1"] }, able: false }),
    ]);
    expect(problems).toMatchObject([{ code: "mysql.no_writer", severity: "error" }]);
    expect(problems[0]?.remedy).toStartWith("bring node1 back");
    expect(problems[0]?.remedy).toEndWith("chime-node failover --to node2 --accept-loss=chime");
  });
  test("nothing, while a pair is being made", () =>
    expect(codes(member(1, undefined, "alive", "joined"), member(2, undefined, "alive", "joined"))).toEqual(
      [],
    ));
});

describe("what a peer publishes is checked before it is used", () => {
  const parse = (mysql: unknown) => publishedBy({ roleState: { mysql } });
  test("ours passes", () => expect(parse(writer)).toEqual(writer));
  const bad: [string, unknown][] = [
    ["nothing", undefined],
    ["a text", "writer"],
    ["an unknown state", { ...writer, state: "king" }],
    ["a term of zero", { ...writer, term: { ...both, term: 0 } }],
    ["nobody in sync", { ...writer, term: { ...both, in_sync: [] } }],
    ["a novel", { ...writer, detail: "x".repeat(500) }],
  ];
  for (const [what, value] of bad) test(`${what} counts as nothing`, () => expect(parse(value)).toBeNull());
});

test("a lag is rounded up, so that it seldom changes", () => {
  expect([null, 0, 1, 3, 11, 301, 90_000].map(roundLag)).toEqual([null, 0, 1, 5, 30, 3600, 3600]);
});

test("two nodes without a third voter say what that costs, and what helps", () => {
  const pair = [writer, replica].map((said) => ({ ...said, term: term(4, "node1", "node1", "node2") }));
  const { problems, status } = mysqlStatus(
    context,
    pair.map((said, i) => member(i + 1, said)),
  );
  expect(status.voters).toEqual(["node1", "node2"]);
  expect(problems).toMatchObject([
    { code: "mysql.no_third_voter", severity: "warning", remedy: expect.stringContaining("--role witness") },
  ]);
});

test("two nodes whose gateway does not answer both say that available works as safe", () => {
  const pair = [writer, { ...replica, gateway: false }].map((said) => ({
    ...said,
    term: { ...term(4, "node1", "node1", "node2"), tie: "replica" as const },
  }));
  const problemsOf = (policy: "available" | "safe") =>
    mysqlStatus(
      { ...context, spec: { ...context.spec, failover: { ...context.spec.failover, policy } } },
      pair.map((said, i) => member(i + 1, said)),
    ).problems;
  expect(problemsOf("available")).toMatchObject([
    { code: "mysql.no_third_voter", message: expect.stringContaining("the writer stops") },
    {
      code: "mysql.no_gateway",
      severity: "warning",
      node: "node2",
      message: expect.stringContaining("works as safe"),
    },
  ]);
  expect(problemsOf("safe").map(({ code }) => code)).toEqual(["mysql.no_third_voter"]);
});

test("a node that would not go on without the other one says since when, and why", () => {
  const out = { at: "2026-11-21T21:35:37Z", since: "its agent stood still for 0.6 s" };
  const pair = [{ ...writer, out }, replica].map((said) => ({
    ...said,
    term: term(4, "node1", "node1", "node2"),
  }));
  const { problems } = mysqlStatus(
    context,
    pair.map((said, i) => member(i + 1, said)),
  );
  expect(problems[1]).toMatchObject({
    code: "mysql.out",
    severity: "warning",
    node: "node1",
    message: expect.stringContaining("stood still for 0.6 s (2026-11-21T21:35:37Z)"),
    remedy: expect.stringMatching(/^bring node2 back; .* failover --to node1 --accept-loss=chime$/),
  });
});

test("a third voter that is silent", () => {
  const pair = [member(1, writer), member(2, replica)];
  const third = { ...member(3, undefined, "dead"), roles: ["witness"] };
  expect(codes(...pair, third)).toEqual(["warning mysql.voter_down"]);
  expect(codes(...pair, { ...third, state: "alive" })).toEqual([]);
});
