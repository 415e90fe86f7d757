import { expect, test } from "bun:test";
import { answerDrillStrike, strikeForDrill } from "../../src/agent/drill.ts";
import type { Guards } from "../../src/agent/guards.ts";
import type { Status } from "../../src/agent/status.ts";
import { member } from "./members.ts";

/** node1's agent, whose own node of the role is as given. */
function agent(state: string, isProtected: boolean) {
  const done: string[] = [];
  const deps = {
    membership: {
      self: member("node1"),
      members: () => [member("node1"), member("node2"), member("node3", { roles: ["witness"] })],
      call: async (peer: string, method: string) => done.push(`${method} on ${peer}`),
    },
    guards: { need: () => ({ command: async (method: string) => done.push(method) }) } as unknown as Guards,
    status: () =>
      ({
        roles: { demo: { writable: [], nodes: [{ name: "node1", state, protected: isProtected }] } },
      }) as unknown as Status,
  };
  return { deps, done };
}

test("a protected writer's server is killed, asked here or from its peer", async () => {
  const { deps, done } = agent("writer", true);
  await strikeForDrill(deps, "kill", "demo", "node1");
  await answerDrillStrike(deps, { role: "demo", fault: "kill" }, "node2");
  await strikeForDrill(deps, "kill", "demo", "node2");
  expect(done).toEqual(["kill", "kill", "drill.strike on node2"]);
});

test("a fault that this release does not know is not taken for another one", async () => {
  const { deps, done } = agent("writer", true);
  const asked = answerDrillStrike(deps, { role: "demo", fault: "melt" }, "node2");
  await expect(asked).rejects.toThrow("melt");
  expect(done).toEqual([]);
});

test.each([
  ["a writer alone", "writer", false, "node2", "drill.not_level"],
  ["a replica", "replica", true, "node2", "drill.not_level"],
  ["a witness asks", "writer", true, "node3", "drill.stranger"],
  ["nobody that is known asks", "writer", true, "node9", "drill.stranger"],
])("%s: refused, nothing touched", async (_, state, isProtected, from, code) => {
  const { deps, done } = agent(state, isProtected);
  const asked = answerDrillStrike(deps, { role: "demo", fault: "kill" }, from);
  await expect(asked).rejects.toMatchObject({ code, exit: 3 });
  expect(done).toEqual([]);
});
