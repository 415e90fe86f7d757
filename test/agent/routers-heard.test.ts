import { expect, test } from "bun:test";
import { RoutersHeard } from "../../src/agent/routers-heard.ts";
import type { MemberView } from "../../src/cluster/types.ts";
import { type HeardRouter, VrrpListener } from "../../src/host/vrrp.ts";
import { Listening } from "../../src/vip/listening.ts";
import { member } from "./members.ts";

const router: HeardRouter = { virtualRouterId: 51, sender: "10.0.0.99", version: 3, priority: 100 };
const interfaces = [
  { name: "eth0", addresses: [{ address: "10.0.0.11", prefix: 24 }] },
  { name: "eth1", addresses: [{ address: "10.0.1.11", prefix: 24 }] },
];
const node2 = member("node2");

/** The agent of node1, which listens or does not; what other agents answer, by name. */
function heard(
  given: { listens?: boolean; others?: MemberView[]; answer?: (peer: string) => Promise<unknown> } = {},
) {
  let now = 0;
  const clock = { wall: () => 0, now: () => now, sleep: () => Promise.resolve() };
  const closed: string[] = [];
  const asked: string[] = [];
  const open = (name: string) =>
    new VrrpListener(name, clock, { receive: () => undefined, close: () => void closed.push(name) });
  const self = member("node1");
  const routers = new RoutersHeard({
    clock,
    interfaces,
    open: () => (given.listens === false ? undefined : new Listening(interfaces, open)),
    membership: {
      self,
      members: () => [self, ...(given.others ?? [node2])],
      call(peer, method) {
        asked.push(`${peer} ${method}`);
        return given.answer?.(peer) ?? Promise.resolve(null);
      },
    },
  });
  return { routers, closed, asked, pass: (ms: number) => void (now += ms) };
}

test("the time since its start counts, and what init heard before it; nobody else is asked", async () => {
  const { routers, pass, asked } = heard();
  pass(200);
  const silent = { ms: 200, routers: [] };
  expect(await routers.heard(1100)).toEqual({ eth0: silent, eth1: silent });
  routers.add({ eth0: { ms: 500, routers: [router] } });
  pass(300);
  routers.settle();
  expect(await routers.heard(1100)).toMatchObject({
    eth0: { ms: 800, routers: [router] },
    eth1: { ms: 500, routers: [] },
  });
  expect(asked).toEqual([]);
  routers.close();
});

test("after a minute it ends", async () => {
  const { routers, closed, pass } = heard();
  pass(59_000);
  routers.settle();
  expect(await routers.heard(1100)).toMatchObject({ eth0: { ms: 1100 } });
  pass(1_000);
  routers.settle();
  routers.add({ eth0: { ms: 500, routers: [router] } });
  expect(await routers.heard(1100)).toEqual({});
  expect(closed).toEqual(["eth0", "eth1"]);
});

test("others are told of the network of this node's address alone, and that nobody listens", () => {
  const { routers, pass } = heard();
  routers.add({ eth1: { ms: 500, routers: [router] } });
  pass(200);
  expect(routers.answer({ ms: 1100 })).toEqual({ ms: 200, routers: [] });
  routers.close();
  expect(routers.answer({ ms: 1100 })).toBeNull();
  expect(() => routers.answer({})).toThrow();
});

test("an agent that does not listen asks those in its networks: the longest time, and all that they heard", async () => {
  const far = member("node3", { address: "192.0.2.13" });
  const gone = member("node4", { left: true });
  const other = { ...router, virtualRouterId: 7 };
  const answers: Record<string, unknown> = {
    node2: { ms: 700, routers: [router] },
    node5: { ms: 400, routers: [other] },
  };
  const { routers, asked } = heard({
    listens: false,
    others: [node2, far, gone, member("node5")],
    answer: (peer) => Promise.resolve(answers[peer]),
  });
  expect(await routers.heard(1100)).toEqual({ eth0: { ms: 700, routers: [router, other] } });
  expect(asked).toEqual(["node2 routers.heard", "node5 routers.heard"]);
});

test("no more time than was asked for is taken from others", async () => {
  const answer = () => Promise.resolve({ ms: 1e9, routers: [] });
  expect(await heard({ listens: false, answer }).routers.heard(1100)).toEqual({
    eth0: { ms: 1100, routers: [] },
  });
});

test.each([
  ["does not know the question", () => Promise.reject(new Error("unknown"))],
  ["does not listen", () => Promise.resolve(null)],
  ["says what cannot be", () => Promise.resolve({ ms: -1, routers: [] })],
  [
    "names what is no router",
    () => Promise.resolve({ ms: 500, routers: [{ ...router, virtualRouterId: 0 }] }),
  ],
])("another one that %s counts for nothing", async (_, answer) => {
  expect(await heard({ listens: false, answer }).routers.heard(1100)).toEqual({});
});
