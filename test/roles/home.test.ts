import { expect, test } from "bun:test";
import type { Member } from "../../src/cluster/types.ts";
import { homeOf, homeProblems } from "../../src/roles/home.ts";
import type { RoleContext } from "../../src/roles/types.ts";
import { sampleMember } from "../samples.ts";

type Wishes = { minio?: string; influxdb?: string };

/** Members by their roles, in the order in which they joined. */
function cluster(roles: readonly string[][], wishes: Wishes = {}): Pick<RoleContext, "spec" | "members"> {
  const members: Member[] = roles.map((own, i) =>
    sampleMember({ name: `node${i + 1}`, index: i + 1, address: `10.0.0.${i + 11}`, roles: own }),
  );
  const spec = { roles: { minio: { prefer: wishes.minio }, influxdb: { prefer: wishes.influxdb } } };
  return { spec: spec as RoleContext["spec"], members };
}
const all = ["mysql", "minio", "influxdb"];

test.each<[string, readonly string[][], Wishes, string | undefined, string | undefined]>([
  ["alone nothing moves", [["influxdb"], ["influxdb"]], {}, undefined, undefined],
  ["beside a database the other node", [all.toSpliced(1, 1), all.toSpliced(1, 1)], {}, undefined, "node2"],
  ["three roles on two nodes", [all, all], {}, "node2", "node1"],
  ["two without a writer", [all.slice(1), all.slice(1)], {}, undefined, "node2"],
  ["one node is there yet", [all], {}, undefined, undefined],
  [
    "other nodes than the database's",
    [["mysql", "influxdb"], ["mysql"], ["influxdb"]],
    {},
    undefined,
    undefined,
  ],
  ["as it is wished", [all, all], { minio: "node1", influxdb: "node2" }, "node1", "node2"],
  ["who is wished does not have the role", [all, all, ["witness"]], { influxdb: "node3" }, "node2", "node1"],
  ["who is wished is not there", [["influxdb"], ["influxdb"]], { influxdb: "node9" }, undefined, undefined],
])("%s", (_, roles, wishes, minio, influxdb) => {
  const made = cluster(roles, wishes);
  expect([homeOf("minio", made), homeOf("influxdb", made)]).toEqual([minio, influxdb]);
});

test("every member comes to the same result", () => {
  const { spec, members } = cluster([all, all]);
  expect(homeOf("influxdb", { spec, members: members.toReversed() })).toBe("node1");
});

test.each<[string, readonly string[][], Wishes, readonly string[]]>([
  ["no wish", [all, all], {}, []],
  ["one of its nodes", [all, all], { influxdb: "node2" }, []],
  ["one that may still join", [all], { influxdb: "node2" }, []],
  ["one that is not there", [all, all], { influxdb: "node9" }, ["vip.prefer node1, node2"]],
  ["one without the role", [all, all, ["witness"]], { influxdb: "node3" }, ["vip.prefer node1, node2"]],
  ["another role's wish", [all, all], { minio: "node9" }, []],
])("a wish that says nothing is told: %s", (_, roles, wishes, told) => {
  const problems = homeProblems("influxdb", cluster(roles, wishes), 2);
  expect(problems.map(({ code, node }) => `${code} ${node}`)).toEqual([...told]);
});
