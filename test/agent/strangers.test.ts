import { expect, test } from "bun:test";
import type { Handler } from "../../src/cluster/membership.ts";
import { servePeers } from "../../src/agent/methods.ts";
import type { Role } from "../../src/roles/types.ts";
import { codeOf } from "../cluster/support.ts";
import { member } from "./members.ts";

/** A pair of the role, and a witness that somebody has stolen. */
const members = [
  member("node1", { roles: ["minio"] }),
  member("node2", { roles: ["minio"] }),
  member("node3", { roles: ["witness"] }),
];
const reached: string[] = [];
const guard = {
  handle: (method: string) => Promise.resolve(void reached.push(`handle ${method}`)),
  command: (method: string) => Promise.resolve(void reached.push(`command ${method}`)),
};
const handlers = new Map<string, Handler>();
const membership = {
  self: members[0],
  members: () => members,
  handle: (method: string, handler: Handler) => void handlers.set(method, handler),
};
servePeers(
  {
    membership,
    guards: { get: () => guard, need: () => guard },
    history: { events: [] },
    cluster: { name: "chime" },
    status: () => ({ roles: {}, problems: [] }),
  } as unknown as Parameters<typeof servePeers>[0],
  [{ name: "minio" } as Role],
);

function ask(method: string, params: unknown, from: string, rest = ""): Promise<string> {
  return codeOf((async () => handlers.get(method)?.(params, from, rest, 2))());
}

test("a role's nodes ask each other's guards", async () => {
  reached.length = 0;
  expect(await ask("guard.minio", {}, "node2", "restart")).toBe("nothing was thrown");
  expect(reached).toEqual(["handle restart"]);
});

test.each([
  ["guard.minio", {}, "peer.stranger"],
  ["drill.strike", { role: "minio", fault: "disk-pulled" }, "drill.stranger"],
  ["failover", { role: "minio", method: "failover", word: null }, "failover.stranger"],
])("a member without the role gets nothing done by %s", async (method, params, code) => {
  reached.length = 0;
  for (const from of ["node3", "node9"]) expect(await ask(method, params, from, "restart")).toBe(code);
  expect(reached).toEqual([]);
});
