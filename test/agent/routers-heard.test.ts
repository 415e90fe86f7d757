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
const hardware = "02:00:00:00:00:02";

/** The agent of node1, which listens or has a VIP; what other agents answer, by name; who answers ARP on eth0. */
function heard(
  given: {
    hasVip?: boolean;
    others?: MemberView[];
    answer?: (peer: string) => Promise<unknown>;
    arp?: Record<string, string>;
  } = {},
) {
  let now = 0;
  let { hasVip = false } = given;
  const { others = [node2], arp = { [node2.address]: hardware } } = given;
  const clock = { wall: () => 0, now: () => now, sleep: () => Promise.resolve() };
  const closed: string[] = [];
  const asked: string[] = [];
  const opened: string[] = [];
  const open = (name: string) => {
    opened.push(name);
    return new VrrpListener(name, clock, {
      open: () => ({ receive: () => undefined, close: () => void closed.push(name) }),
      link: () => ({ index: 2, history: "2:2", isUp: true }),
    });
  };
  const self = member("node1");
  const routers = new RoutersHeard({
    clock,
    interfaces,
    awaitsVip: () => !hasVip,
    open: () => new Listening(interfaces, open),
    membership: {
      self,
      members: () => [self, ...others],
      call(peer, method) {
        asked.push(`${peer} ${method}`);
        return given.answer?.(peer) ?? Promise.resolve(null);
      },
    },
    whoHas: async (addresses, name) =>
      new Map(name === "eth0" ? Object.entries(arp).filter(([address]) => addresses.includes(address)) : []),
    hardwareOf: (name) => `on ${name}`,
  });
  const settle = (vip: boolean) => {
    hasVip = vip;
    routers.settle();
  };
  return { routers, closed, asked, opened, settle, pass: (ms: number) => void (now += ms) };
}

test("the time since its start counts, and what init heard before it; nobody else is asked", async () => {
  const { routers, settle, pass, asked } = heard();
  pass(200);
  const silent = { ms: 200, routers: [] };
  expect(await routers.heard(1100)).toEqual({ eth0: silent, eth1: silent });
  routers.add({ eth0: { ms: 500, routers: [router] } });
  pass(300);
  settle(false);
  expect(await routers.heard(1100)).toEqual({
    eth0: { ms: 800, routers: [router] },
    eth1: { ms: 500, routers: [] },
  });
  expect(asked).toEqual([]);
  routers.close();
});

test("with a VIP of its own it ends, once and for all", async () => {
  const { routers, closed, settle } = heard();
  settle(true);
  settle(false);
  routers.add({ eth0: { ms: 500, routers: [router] } });
  expect(await routers.heard(1100)).toEqual({});
  expect(closed).toEqual(["eth0", "eth1"]);
});

test("where nobody joins it ends after five minutes", async () => {
  const { routers, closed, settle, pass } = heard();
  pass(299_000);
  settle(false);
  expect(await routers.heard(1100)).toMatchObject({ eth0: { ms: 1100 } });
  pass(1_000);
  settle(false);
  expect(await routers.heard(1100)).toEqual({});
  expect(closed).toEqual(["eth0", "eth1"]);
});

test("a witness, and a node that has a VIP from the start on, listens for nobody", async () => {
  const { routers, opened } = heard({ hasVip: true });
  routers.settle();
  routers.add({ eth0: { ms: 500, routers: [router] } });
  expect(await routers.heard(1100)).toEqual({});
  expect(opened).toEqual([]);
});

test("others are told of the network of this node's address alone, and that nobody listens", () => {
  const { routers, pass } = heard();
  routers.add({ eth1: { ms: 500, routers: [router] } });
  pass(200);
  expect(routers.answer({ ms: 1100 })).toEqual({ ms: 200, routers: [], hardware: "on eth0" });
  routers.close();
  expect(routers.answer({ ms: 1100 })).toBeNull();
  expect(() => routers.answer({})).toThrow();
});

test("an agent that does not listen asks those in its networks: the longest time, and all that they heard", async () => {
  const far = member("node3", { address: "192.0.2.13" });
  const gone = member("node4", { left: true });
  const node5 = member("node5");
  const other = { ...router, virtualRouterId: 7 };
  const answers: Record<string, unknown> = {
    node2: { ms: 700, routers: [router], hardware },
    node5: { ms: 400, routers: [other], hardware: "02:00:00:00:00:05" },
  };
  const { routers, asked } = heard({
    hasVip: true,
    others: [node2, far, gone, node5],
    answer: (peer) => Promise.resolve(answers[peer]),
    arp: { [node2.address]: hardware, [node5.address]: "02:00:00:00:00:05" },
  });
  expect(await routers.heard(1100)).toEqual({ eth0: { ms: 700, routers: [router, other] } });
  expect(asked).toEqual(["node2 routers.heard", "node5 routers.heard"]);
});

test("no more time than was asked for is taken from others", async () => {
  const answer = () => Promise.resolve({ ms: 1e9, routers: [], hardware });
  expect(await heard({ hasVip: true, answer }).routers.heard(1100)).toEqual({
    eth0: { ms: 1100, routers: [] },
  });
});

const said = { ms: 500, routers: [], hardware };
test.each<[string, () => Promise<unknown>, Record<string, string>?]>([
  ["does not know the question", () => Promise.reject(new Error("unknown"))],
  ["does not listen", () => Promise.resolve(null)],
  ["does not listen, and is in another network", () => Promise.resolve(null), {}],
  ["says what cannot be", () => Promise.resolve({ ...said, ms: -1 })],
  [
    "names what is no router",
    () => Promise.resolve({ ...said, routers: [{ ...router, virtualRouterId: 0 }] }),
  ],
  ["does not say who it is", () => Promise.resolve({ ms: 500, routers: [] }), {}],
  ["answers no ARP in this network", () => Promise.resolve(said), {}],
  ["is answered for by a router", () => Promise.resolve(said), { [node2.address]: "02:00:00:00:00:99" }],
])("another one that %s counts for nothing", async (_, answer, arp) => {
  const { routers } = heard({ hasVip: true, answer, ...(arp && { arp }) });
  expect(await routers.heard(1100)).toEqual({});
});
