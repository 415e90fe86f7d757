import { afterEach, beforeEach, expect, test } from "bun:test";
import { DirectMembers } from "../../src/cluster/direct.ts";
import { codeOf, invite, lab, until, type Lab } from "./support.ts";

const port = 18826;

let nodes: Lab;
beforeEach(async () => {
  nodes = await lab(port);
});
afterEach(() => nodes.close());

test("a node whose agent is not up asks members itself, and is not taken for alive by what it asks about bundles", async () => {
  const one = await nodes.init("node1", "127.0.0.1");
  const { token } = await invite(one);
  expect(await DirectMembers.open(nodes.files("node2"), port)).toBeUndefined();
  await nodes.enter(token, "node2", "127.0.0.2", ["mysql"]);
  const asked: unknown[] = [];
  for (const method of ["bundle.read", "other"]) {
    one.membership.handle(method, (params, from) => {
      asked.push([method, params, from]);
      return Promise.resolve(Buffer.from("abc"));
    });
  }
  const two = await DirectMembers.open(nodes.files("node2"), port);
  if (!two) throw new Error("node2 is in no cluster");
  expect(two.self.name).toBe("node2");
  expect(two.spec).toEqual(one.membership.spec());
  expect(two.members()).toEqual([{ name: "node1", state: "alive" }]);
  const seen = () => one.membership.members()[1]?.state;
  await until("nobody has heard of node2's agent", () => seen() === "dead");
  expect(await two.call("node1", "bundle.read", { a: 1 }, 1000)).toEqual(Buffer.from("abc"));
  expect(seen()).toBe("dead");
  await two.call("node1", "other", {}, 1000);
  expect(seen()).not.toBe("dead");
  expect(asked).toEqual([
    ["bundle.read", { a: 1 }, "node2"],
    ["other", {}, "node2"],
  ]);
  expect(await codeOf(two.call("node3", "bundle.read", {}, 1000))).toBe("peer.unreachable");
  await one.stop();
  expect(await codeOf(two.call("node1", "bundle.read", {}, 1000))).toBe("peer.unreachable");
  two.close();
});

test("a witness is known as one, and who has left is none", async () => {
  const one = await nodes.init("node1", "127.0.0.1");
  const { token } = await invite(one);
  await nodes.join(token, "node2", "127.0.0.2", ["witness"]);
  const gone = await nodes.join(token, "node3", "127.0.0.3", ["server"]);
  await gone.membership.leave();
  await nodes.enter(token, "node4", "127.0.0.4", ["mysql"]);
  const four = await DirectMembers.open(nodes.files("node4"), port);
  expect(four?.members().map(({ name }) => [name, four.isWitness(name)])).toEqual([
    ["node1", false],
    ["node2", true],
  ]);
  four?.close();
});
