import { expect, test } from "bun:test";
import { RoutersHeard } from "../../src/agent/routers-heard.ts";
import { VrrpListener } from "../../src/host/vrrp.ts";
import { Listening } from "../../src/vip/listening.ts";

const router = { virtualRouterId: 51, sender: "10.0.0.1", version: 3 as const, priority: 100 };

function heard() {
  let now = 0;
  let hasVip = false;
  const clock = { wall: () => 0, now: () => now, sleep: () => Promise.resolve() };
  const closed: string[] = [];
  const open = (name: string) =>
    new VrrpListener(name, clock, {
      open: () => ({ receive: () => undefined, close: () => void closed.push(name) }),
      link: () => ({ index: 2, history: "2:2", isUp: true }),
    });
  const routers = new RoutersHeard(
    clock,
    () => !hasVip,
    () => new Listening([{ name: "eth0" }], open),
  );
  const settle = (vip: boolean) => {
    hasVip = vip;
    routers.settle();
  };
  return { routers, closed, settle, pass: (ms: number) => void (now += ms) };
}

test("the time since its start counts, and what init heard before it", () => {
  const { routers, settle, pass } = heard();
  pass(200);
  expect(routers.heard(1100)).toEqual({ eth0: { ms: 200, routers: [] } });
  routers.add({ eth0: { ms: 500, routers: [router] } });
  pass(300);
  settle(false);
  expect(routers.heard(1100)).toEqual({ eth0: { ms: 800, routers: [router] } });
  routers.close();
});

test("with a VIP of its own it ends, once and for all", () => {
  const { routers, closed, settle } = heard();
  settle(true);
  settle(false);
  routers.add({ eth0: { ms: 500, routers: [router] } });
  expect(routers.heard(1100)).toEqual({});
  expect(closed).toEqual(["eth0"]);
});

test("where nobody joins it ends after five minutes", () => {
  const { routers, closed, settle, pass } = heard();
  pass(299_000);
  settle(false);
  expect(routers.heard(1100)).toEqual({ eth0: { ms: 1100, routers: [] } });
  pass(1_000);
  settle(false);
  expect(routers.heard(1100)).toEqual({});
  expect(closed).toEqual(["eth0"]);
});

test("a witness, and a node that has a VIP from the start on, listens for nobody", () => {
  let opened = 0;
  const open = () => {
    opened++;
    return new Listening([]);
  };
  const routers = new RoutersHeard({ now: () => 0 }, () => false, open);
  routers.settle();
  routers.add({ eth0: { ms: 500, routers: [router] } });
  expect(routers.heard(1100)).toEqual({});
  expect(opened).toBe(0);
});
