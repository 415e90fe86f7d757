import { describe, expect, test } from "bun:test";
import { packagesOnTop, unfinishedPackages } from "../../src/resources/package.ts";

type Noted = [id: string, before: unknown];

/** A ledger in which these were noted, in this order. */
function ledger(noted: readonly Noted[], reached: readonly string[] = []) {
  const before = new Map(noted);
  return {
    ids: () => [...before.keys()],
    noted: (id: string) => before.get(id),
    reached: (id: string) => (reached.includes(id) ? "as desired" : undefined),
  };
}

const pkg = (name: string, changed: { family?: string; fresh?: string } = {}): Noted => [
  `package:${name}`,
  { family: "debian", record: "/r", log: "/l", fresh: null, ...changed },
];
const agent: Noted = ["service:chime-node.service", { enabled: false, active: false }];
const policy: Noted = ["file:/usr/sbin/policy-rc.d", { directories: [], was: { type: "absent" } }];
const preset: Noted = ["file:/run/systemd/system-preset/00-chime-node.preset", policy[1]];
const members: Noted = ["hosts:members", { path: "/etc/hosts" }];
const port: Noted = ["port:8820/tcp", null];
const config: Noted = ["file:/etc/keepalived/keepalived.conf", null];

describe("packages that can be taken back by themselves", () => {
  const both = ["package:keepalived", "package:haproxy"];
  const cases: [what: string, noted: Noted[], ids: string[]][] = [
    [
      "cut off: with what keeps their services down",
      [agent, policy, preset, pkg("keepalived")],
      [policy[0], preset[0], "package:keepalived"],
    ],
    ["installed, and then cut off", [agent, pkg("keepalived"), pkg("haproxy")], both],
    ["cut off before the first of them", [agent, policy], [policy[0]]],
    [
      "its agent has made since what every member has",
      [agent, policy, pkg("keepalived"), members, port],
      [policy[0], "package:keepalived"],
    ],
    ["none", [agent, config, members], []],
    ["something was made since", [agent, policy, pkg("keepalived"), config], []],
    [
      "more of them, beside a role that is served",
      [agent, pkg("keepalived"), config, policy, pkg("haproxy")],
      [],
    ],
    [
      "one has filled a directory",
      [agent, pkg("mariadb-server", { fresh: "/var/lib/mysql" }), pkg("keepalived")],
      [],
    ],
    ["whoever still installs them is not waited for", [agent, pkg("keepalived", { family: "el" })], []],
  ];
  test.each(cases)("%s", (_, noted, ids) => {
    expect(packagesOnTop(ledger(noted))).toEqual(ids);
  });
});

test("unfinished are those whose installation was begun and not seen to end", () => {
  const noted = [agent, pkg("keepalived"), config, policy, pkg("haproxy")];
  expect(unfinishedPackages(ledger(noted, ["package:keepalived"]))).toEqual(["haproxy"]);
});
