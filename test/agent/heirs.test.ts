import { expect, test } from "bun:test";
import { heirsOf } from "../../src/agent/heirs.ts";
import { reportKey } from "../../src/agent/report.ts";
import type { MemberView } from "../../src/cluster/types.ts";
import { member } from "./members.ts";

const self = member("node2");

function says(state: string, peers: string[] = [self.address], maintenance: string | null = null) {
  return {
    roleState: { [reportKey]: { vips: { demo: { state, holds: false, peers } }, problems: [], maintenance } },
  };
}

test.each<[string, Partial<MemberView>, string[]]>([
  ["stands by", says("BACKUP"), ["node1"]],
  ["has a closed gate, or a keepalived that was stopped", says("FAULT"), []],
  ["has not heard of its keepalived yet", says("UNKNOWN"), []],
  ["has told nothing", { roleState: {} }, []],
  ["does not know this node", says("BACKUP", ["10.0.0.13"]), []],
  ["is in maintenance", says("BACKUP", [self.address], "2026-11-21T00:00:00.000Z"), []],
  ["is silent", { ...says("BACKUP"), state: "suspect" }, []],
  ["is dead", { ...says("BACKUP"), state: "dead" }, []],
  ["does not have the role", { ...says("BACKUP"), roles: [] }, []],
])("one that %s", (_, over, expected) => {
  expect(heirsOf(self, [member("node1", over), self], "demo")).toEqual(expected);
});
