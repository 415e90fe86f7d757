import { describe, expect, test } from "bun:test";
import { reportKey } from "../../src/agent/report.ts";
import { deafPeers, Leftovers } from "../../src/agent/rivals.ts";
import type { MemberView } from "../../src/cluster/types.ts";
import { member } from "./members.ts";

const self = member("node2");
const hears = (...peers: string[]) => ({
  [reportKey]: { vips: { demo: { state: "MASTER", holds: true, peers } }, problems: [] },
});

describe("peers that would not hear this node", () => {
  test.each<[string, Partial<MemberView>, string[]]>([
    ["knows this node", { roleState: hears(self.address) }, []],
    ["knows another one", { roleState: hears("10.0.0.13") }, ["node1"]],
    ["has not told", { roleState: {} }, ["node1"]],
    ["does not run keepalived yet", { phase: { demo: "installed" } }, []],
    ["does not have the role", { roles: [] }, []],
    ["is dead", { state: "dead" }, []],
    ["left", { state: "left", left: true }, []],
  ])("one that %s", (_, over, expected) => {
    expect(deafPeers(self, [member("node1", over), self], "demo")).toEqual(expected);
  });
});

test("a VIP that stays for a second while it must not is due, and one that comes and goes is not", () => {
  let now = 0;
  const leftovers = new Leftovers({ now: () => now });
  const look = (at: number, isWrong: boolean) => {
    now = at;
    return leftovers.isDue("demo", isWrong);
  };
  expect(look(0, true)).toBe(false);
  expect(look(900, true)).toBe(false);
  expect(look(950, false)).toBe(false);
  expect(look(1_900, true)).toBe(false);
  expect(look(2_900, true)).toBe(true);
});
