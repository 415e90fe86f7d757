import { describe, expect, test } from "bun:test";
import type { MemberView } from "../../../src/cluster/types.ts";
import type { Published } from "../../../src/roles/mysql/published.ts";
import { mysqlStatus } from "../../../src/roles/mysql/status.ts";
import type { RoleContext } from "../../../src/roles/types.ts";
import { context, member } from "../../agent/members.ts";

const quiet: Published = {
  term: { term: 2, writer: "node1", in_sync: ["node1"] },
  state: "replica",
  follows: null,
  life: "L1",
  able: false,
  semi_sync: false,
  protected: false,
  lag: null,
  detail: null,
};
const writer: Published = { ...quiet, state: "writer" };
const level: Published = { ...quiet, follows: "node1", semi_sync: true, lag: 0 };

function node(name: string, said: Published | null, over: Partial<MemberView> = {}): MemberView {
  const phase = { mysql: "ready" as const };
  return member(name, { roles: ["mysql"], phase, roleState: said ? { mysql: said } : {}, ...over });
}

function problems(...members: MemberView[]): [string, string][] {
  const base = context(members);
  const roles = { mysql: { topology: "dual-master", engine: "mariadb", vip: "10.0.0.30", databases: [] } };
  const told = mysqlStatus({ ...base, spec: { ...base.spec, roles } } as unknown as RoleContext, members);
  return told.problems.map(({ severity, code }) => [severity, code]);
}

describe("what status says is wrong with a pair", () => {
  test.each<[string, MemberView, [string, string][]]>([
    ["a replica that is level", node("node2", level), [["warning", "mysql.unprotected"]]],
    [
      "a second node that is still installing",
      node("node2", null, { phase: { mysql: "joined" } }),
      [["warning", "mysql.no_replica"]],
    ],
    [
      "a second node whose server starts for the first time",
      node("node2", { ...quiet, state: "down" }, { phase: { mysql: "configured" } }),
      [["warning", "mysql.no_replica"]],
    ],
    [
      "a replica whose server is down",
      node("node2", { ...quiet, state: "down" }),
      [["error", "mysql.replica_down"]],
    ],
    ["a replica that is dead", node("node2", level, { state: "dead" }), [["error", "mysql.replica_down"]]],
    [
      "a replica with transactions of its own",
      node("node2", { ...quiet, state: "quarantined", detail: "0-2-7" }),
      [["error", "mysql.quarantined"]],
    ],
    [
      "a second writer",
      node("node2", writer),
      [
        ["error", "mysql.two_writers"],
        ["warning", "mysql.unprotected"],
      ],
    ],
    [
      "a node that left",
      node("node2", null, { state: "left", left: true }),
      [["warning", "mysql.no_replica"]],
    ],
  ])("%s", (_, second, expected) => {
    expect(problems(node("node1", writer), second)).toEqual(expected);
  });

  test("no writer: the node that holds everything is the one to bring back", () => {
    const term = { term: 3, writer: "node2", in_sync: ["node2"] };
    const base = context([]);
    const members = [node("node1", { ...quiet, term }), node("node2", level, { state: "dead" })];
    const spec = { ...base.spec, roles: { mysql: { topology: "dual-master", engine: "mariadb" } } };
    const told = mysqlStatus({ ...base, spec } as unknown as RoleContext, members);
    expect(told.problems.map(({ code }) => code)).toEqual(["mysql.no_writer"]);
    expect(told.problems[0]?.remedy).toContain("bring node2 back");
  });
});
