import { expect, test } from "bun:test";
import { failed } from "../../src/core/errors.ts";
import { VrrpListener } from "../../src/host/vrrp.ts";
import { heardUntilNow, listenAhead } from "../../src/vip/checks.ts";
import { Listening } from "../../src/vip/listening.ts";

const router = { virtualRouterId: 51, sender: "10.0.0.1", version: 3 as const, priority: 100 };

/** Listens to a silent network by a clock that stands still but for who sleeps by it. */
function silent(interfaces = ["eth0", "eth1"]) {
  let now = 0;
  const closed: string[] = [];
  const clock = {
    wall: () => 0,
    now: () => now,
    sleep: (ms: number, signal?: AbortSignal) => {
      now += ms;
      return signal?.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve();
    },
  };
  const listening = new Listening(
    interfaces.map((name) => ({ name })),
    (name) => {
      if (name === "tun0") throw failed("net.raw_socket", "a raw socket cannot listen on tun0");
      const close = () => void closed.push(name);
      return new VrrpListener(name, clock, {
        open: () => ({ receive: () => undefined, close }),
        link: () => ({ index: 2, history: "2:2", isUp: true }),
      });
    },
  );
  return { listening, closed, now: () => now };
}

test("each interface has a time of its own, and what was heard on one is told of that one", async () => {
  const { listening, now } = silent();
  listening.add({ eth1: { ms: 1000, routers: [router] }, eth7: { ms: 5000, routers: [router] } });
  expect(await listening.until("eth1", 1100)).toEqual([router]);
  expect(now()).toBeWithin(100, 121);
  expect(await listening.until("eth0", 1100)).toEqual([]);
  expect(now()).toBeWithin(1100, 1121);
  listening.close();
});

test("an interface that cannot be listened on fails for whoever asks about it, and for nobody else", async () => {
  const { listening } = silent(["eth0", "tun0"]);
  expect(await listening.until("eth0", 1100)).toEqual([]);
  expect(listening.until("tun0", 1100)).rejects.toMatchObject({ code: "net.raw_socket" });
  expect(Object.keys(listening.heard(1100))).toEqual(["eth0"]);
  listening.close();
});

test("closed, it listens no longer and tells nothing", () => {
  const { listening, closed } = silent();
  listening.close();
  expect(closed).toEqual(["eth0", "eth1"]);
  expect(listening.heard(1100)).toEqual({});
});

test("a join listens for what the agent has not", async () => {
  const agent = silent();
  await agent.listening.until("eth0", 700);
  agent.listening.add({ eth0: { ms: 0, routers: [router] } });
  const { listening, now } = silent();
  const ask = listenAhead(listening, new AbortController().signal, async () =>
    heardUntilNow(agent.listening),
  );
  await Promise.resolve();
  expect(await ask.listenVrrp("eth0", 1100)).toEqual([router]);
  expect(now()).toBeWithin(400, 421);
  for (const each of [agent.listening, listening]) each.close();
});

test("a join whose agent does not answer listens for the whole time", async () => {
  const { listening, now } = silent();
  const ask = listenAhead(listening, new AbortController().signal, () =>
    Promise.reject(new Error("no agent")),
  );
  expect(await ask.listenVrrp("eth0", 1100)).toEqual([]);
  expect(now()).toBeWithin(1100, 1121);
  listening.close();
});

test("nobody listens any more once a join has ended", async () => {
  const { listening } = silent();
  const asking = new AbortController();
  const ask = listenAhead(listening, asking.signal);
  asking.abort(new Error("ended"));
  expect(ask.listenVrrp("eth0", 1100)).rejects.toThrow("ended");
  listening.close();
});
