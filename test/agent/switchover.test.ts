import { expect, test } from "bun:test";
import type { Guards } from "../../src/agent/guards.ts";
import type { Status } from "../../src/agent/status.ts";
import { switchOver } from "../../src/agent/switchover.ts";
import type { Membership } from "../../src/cluster/types.ts";
import { member } from "./members.ts";

const pair = { writable: ["node1"], nodes: [{ name: "node1" }, { name: "node2" }] };
const store = { quorum: { read: 5, write: 5 }, nodes: [{ name: "node1" }] };

/** node1's agent in a cluster with these roles. */
function agent(roles: Record<string, unknown>) {
  const done: string[] = [];
  const deps = {
    membership: {
      self: member("node1"),
      members: () => [member("node1"), member("node2")],
    } as unknown as Membership,
    guards: { need: () => ({ command: async (method: string) => done.push(method) }) } as unknown as Guards,
    status: () => ({ roles }) as unknown as Status,
    record: () => undefined,
  };
  return { deps, done };
}

test("a role with one writer moves, one without is left alone", async () => {
  const { deps, done } = agent({ demo: pair, minio: store });
  expect(await switchOver(deps, undefined)).toMatchObject([{ role: "demo", from: "node1", to: "node2" }]);
  expect(done).toEqual(["handover"]);
});

test("to where it is already nothing is done", async () => {
  const { deps, done } = agent({ demo: pair });
  expect([await switchOver(deps, "node1"), done]).toEqual([[], []]);
});

test("without any writer in the cluster there is nothing that could move", async () => {
  const { deps, done } = agent({ minio: store });
  expect(switchOver(deps, undefined)).rejects.toMatchObject({ code: "switchover.no_pair", exit: 3 });
  expect(done).toEqual([]);
});
