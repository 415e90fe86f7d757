import { describe, expect, test } from "bun:test";
import { closesInput, hasUfwRule, nftRule, openingName } from "../../src/host/firewall.ts";

const chain = (more: object) => ({
  chain: { family: "inet", table: "filter", name: "input", handle: 1, ...more },
});
const rule = (...expr: object[]) => ({
  rule: { family: "inet", table: "filter", chain: "input", handle: 2, expr },
});
const accept = rule(
  { match: { op: "==", left: { payload: { protocol: "tcp", field: "dport" } }, right: 22 } },
  { accept: null },
);
const base = { type: "filter", hook: "input", prio: 0, policy: "accept" };

describe("closesInput", () => {
  test.each<[string, object[], boolean]>([
    ["nothing", [], false],
    ["open by policy", [chain(base), accept], false],
    ["closed by policy", [chain({ ...base, policy: "drop" }), accept], true],
    ["closed by the last rule", [chain(base), accept, rule({ drop: null })], true],
    [
      "counted, then rejected",
      [chain(base), rule({ counter: { packets: 0 } }, { reject: { type: "icmp" } })],
      true,
    ],
    ["a drop that has a condition", [chain(base), rule({ match: {} }, { drop: null })], false],
    ["a drop that is not the last", [chain(base), rule({ drop: null }), accept], false],
    ["another hook", [chain({ ...base, hook: "forward", policy: "drop" })], false],
    ["a chain without a hook", [chain({}), rule({ drop: null })], false],
  ])("%s", (_name, entries, wanted) => {
    const metainfo = { metainfo: { version: "1.0.6", json_schema_version: 1 } };
    expect(closesInput(JSON.stringify({ nftables: [metainfo, ...entries] }))).toBe(wanted);
  });

  test("no output", () => {
    expect(closesInput("")).toBe(false);
  });
});

test("openings have names, rules and ufw's own words", () => {
  const tcp = { protocol: "tcp", port: 8820 } as const;
  const vrrp = { protocol: "vrrp" } as const;
  expect([openingName(tcp), openingName(vrrp)]).toEqual(["8820/tcp", "vrrp"]);
  expect([nftRule(tcp), nftRule(vrrp)]).toEqual(["tcp dport 8820 accept", "ip protocol vrrp accept"]);
  const added =
    "Added user rules (see 'ufw status' for running firewall):\nufw allow 22\nufw allow 8820/tcp\n";
  expect(hasUfwRule(added, tcp)).toBe(true);
  expect(hasUfwRule(added, { protocol: "udp", port: 8820 })).toBe(false);
  expect(hasUfwRule(added, { protocol: "tcp", port: 820 })).toBe(false);
});
