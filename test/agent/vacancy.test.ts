import { expect, test } from "bun:test";
import { type Candidacy, candidacyOf, Vacancy } from "../../src/agent/vacancy.ts";
import type { Resignation } from "../../src/host/vrrp-resign.ts";
import type { VipState } from "../../src/vip/fifo.ts";
import { member } from "./members.ts";
import { context, facts, member as vipMember, node1, node2 } from "../vip/fixtures.ts";

const role = "minio";

interface Node {
  state?: VipState;
  eligible?: boolean;
  holds?: boolean;
  priority?: number;
  /** Its agent answers. */
  heard?: boolean;
}

/** Nodes whose agents ask each other; what was told to whose keepalived. */
function nodes(these: readonly Node[]) {
  const sent: Resignation[] = [];
  const asked: string[] = [];
  const names = these.map((_, i) => `node${i + 1}`);
  const members = () => [...names.map((name) => member(name, { roles: [role] })), member("node9")];
  const agents = these.map(({ state = "BACKUP", eligible = true, holds = false, priority }, i) => {
    const own: Candidacy = {
      virtualRouterId: 7,
      priority: priority ?? 150 - 10 * i,
      source: `10.0.0.${11 + i}`,
      address: "10.0.0.50/24",
      intervalMs: 100,
      others: names.filter((name) => name !== names[i]),
    };
    const call = async (to: string, method: string, params: unknown) => {
      asked.push(`${method} ${to}`);
      const at = names.indexOf(to);
      if (these[at]?.heard === false) throw new Error("no answer");
      const agent = agents[at] as Vacancy;
      return method === "vip.vacant"
        ? agent.isVacant(params, `node${i + 1}`)
        : agent.resign(params, `node${i + 1}`);
    };
    const vips = { state: () => state, isEligible: () => eligible, holds: () => Promise.resolve(holds) };
    return new Vacancy(
      { members, call },
      vips,
      () => own,
      (resignation) => sent.push(resignation),
    );
  });
  return { agents, sent, asked, first: agents[0] as Vacancy, second: agents[1] as Vacancy };
}

const away: Node = { state: "FAULT", eligible: false };

test("one that all others say they have not got: the first of them tells its keepalived so, once", async () => {
  const { first, sent, asked } = nodes([{}, away, away]);
  await first.claim(role);
  expect(asked).toEqual(["vip.vacant node2", "vip.vacant node3", "vip.resign node2"]);
  expect(sent).toEqual([
    { virtualRouterId: 7, intervalMs: 100, from: "10.0.0.12", to: "10.0.0.11", address: "10.0.0.50" },
  ]);
});

test("of two that could have it, the one that comes first", async () => {
  const both = nodes([{}, {}]);
  await both.second.claim(role);
  expect(both.sent).toEqual([]);
  await both.first.claim(role);
  expect(both.sent.map(({ to }) => to)).toEqual(["10.0.0.11"]);
});

const silent: [string, Node[]][] = [
  ["another's keepalived has it", [{}, away, { state: "MASTER" }]],
  [
    "another's kernel has it: its keepalived was killed, or its agent has just begun",
    [{}, away, { ...away, holds: true }],
  ],
  ["one does not answer: it may be cut off, and have it", [{}, away, { ...away, heard: false }]],
  ["this node's gate is closed", [{ eligible: false }, away]],
  ["this node's keepalived has it already", [{ state: "MASTER" }, away]],
  ["there is nobody else", [{}]],
];
test.each(silent)("nobody says anything: %s", async (_, these) => {
  const { first, sent } = nodes(these);
  await first.claim(role);
  expect(sent).toEqual([]);
});

test("who is asked to say so looks again", async () => {
  const { second, sent } = nodes([{}, { state: "MASTER" }]);
  await second.resign({ role, priority: 150 }, "node1");
  expect(sent).toEqual([]);
});

test.each([
  ["no role", { priority: 150 }],
  ["no priority", { role }],
  ["the priority of an owner", { role, priority: 255 }],
])("refused: %s", async (_, params) => {
  const { second } = nodes([{}, away]);
  await expect(second.isVacant(params, "node1")).rejects.toThrow();
  await expect(second.resign(params, "node1")).rejects.toThrow();
});

test("a member without the role has no word", async () => {
  const { second } = nodes([{}, away]);
  const asked = { role, priority: 150 };
  for (const ask of [() => second.isVacant(asked, "node9"), () => second.resign(asked, "node9")]) {
    await expect(ask()).rejects.toThrow("node9 has no part in minio");
  }
});

test("a node's part in a VIP, with what its own keepalived would say", () => {
  const node3 = vipMember("node3", 3, "10.0.0.13");
  const request = { name: role, address: "10.0.0.50/24", nodes: [node1, node2, node3] };
  const own = candidacyOf(context({ self: node2 }), request);
  expect(own).toMatchObject({ priority: 100, source: "10.0.0.12", address: "10.0.0.50/24" });
  expect(own).toMatchObject({ intervalMs: 100, others: ["node1", "node3"] });
  const el8 = { ...facts, os: { ...facts.os, id: "rocky", versionId: "8.10", family: "el" as const } };
  expect(candidacyOf(context({ facts: el8 }), request)?.intervalMs).toBe(250);
});
