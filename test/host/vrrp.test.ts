import { expect, test } from "bun:test";
import type { Link } from "../../src/host/link.ts";
import { parseVrrp, VrrpListener } from "../../src/host/vrrp.ts";

/** An IPv4 packet from 10.0.0.1 with an advert in it, options bytes in its header. */
function advert(version: 2 | 3, id: number, priority: number, options = 0): Uint8Array {
  const header = new Uint8Array(20 + options);
  header.set([
    0x40 | (header.length / 4),
    0xc0,
    0,
    0,
    0,
    0,
    0,
    0,
    255,
    112,
    0,
    0,
    10,
    0,
    0,
    1,
    224,
    0,
    0,
    18,
  ]);
  return new Uint8Array([...header, (version << 4) | 1, id, priority, 1, 0, 100, 0, 0, 10, 0, 0, 30]);
}

test.each([
  [2, 51, 100, 0],
  [3, 255, 254, 0],
  [3, 1, 0, 4],
] as const)("version %p, router %p, priority %p, %p bytes of options", (version, id, priority, options) => {
  expect(parseVrrp(advert(version, id, priority, options))).toEqual({
    virtualRouterId: id,
    sender: "10.0.0.1",
    version,
    priority,
  });
});

test.each([
  ["empty", new Uint8Array()],
  ["cut in its header", advert(3, 51, 100).slice(0, 19)],
  ["cut in its advert", advert(3, 51, 100).slice(0, 27)],
  ["of IPv6", advert(3, 51, 100).with(0, 0x65)],
  ["with a header length below 20", advert(3, 51, 100).with(0, 0x44)],
  ["of another protocol", advert(3, 51, 100).with(9, 17)],
  ["to one node", advert(3, 51, 100).with(19, 12)],
  ["of router 0", advert(3, 0, 100)],
  ["of an unknown version", advert(3, 51, 100).with(20, 0x41)],
  ["of an unknown type", advert(3, 51, 100).with(20, 0x32)],
])("a packet %s is no advert", (_, packet) => {
  expect(parseVrrp(packet)).toBeUndefined();
});

test("any bytes at all give a router id from 1 to 255, or nothing", () => {
  let seed = 11;
  const next = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31);
  for (let i = 0; i < 5000; i++) {
    const packet = Uint8Array.from({ length: next() % 80 }, () => next() % 256);
    if (packet.length > 9) packet.set([0x40 | (next() % 16), 0, 0, 0, 0, 0, 0, 0, 0, 112]);
    if (packet.length > 19) packet.set([224, 0, 0, 18], 16);
    const heard = parseVrrp(packet);
    if (heard) expect(heard.virtualRouterId).toBeWithin(1, 256);
  }
});

/** A listener whose clock goes on only by its sleeping; `at` says when packets come, ms. */
function listener(packets: { at: number; packet: Uint8Array }[]) {
  let now = 1000;
  const clock = {
    wall: () => 0,
    now: () => now,
    sleep: (ms: number) => {
      now += ms;
      return Promise.resolve();
    },
  };
  const receive = () => {
    const next = packets.findIndex(({ at }) => at <= now - 1000);
    return next < 0 ? undefined : packets.splice(next, 1)[0]?.packet;
  };
  let link: Link = { index: 2, history: "2:2", isUp: true };
  let isRefused = false;
  const sockets: string[] = [];
  const made = new VrrpListener("eth0", clock, {
    open() {
      if (isRefused) throw new Error("no such device");
      const name = `socket ${sockets.length}`;
      sockets.push(name);
      return { receive, close: () => void sockets.push(`${name} closed`) };
    },
    link: () => link,
  });
  return {
    made,
    sockets,
    pass: (ms: number) => void (now += ms),
    passed: () => now - 1000,
    /** The link is another one from now on; `refused`: no socket can be opened on it yet. */
    change: (to: Partial<Link>, refused = false) => {
      link = { ...link, ...to };
      isRefused = refused;
    },
  };
}

const ids = (routers: readonly { virtualRouterId: number }[]) =>
  routers.map(({ virtualRouterId }) => virtualRouterId);

test("it is listened for the whole time, and what came in it is told once", async () => {
  const packets = [0, 500, 1000].flatMap((at) => [
    { at, packet: advert(3, 51, 100) },
    { at: at + 90, packet: advert(3, 7, 100) },
  ]);
  const { made, passed } = listener(packets);
  expect(ids(await made.until(1100))).toEqual([51, 7]);
  expect(passed()).toBeWithin(1100, 1121);
});

test("what another one heard until now is not waited for again", async () => {
  const { made, pass, passed } = listener([{ at: 400, packet: advert(3, 7, 100) }]);
  pass(300);
  const [router] = [parseVrrp(advert(3, 51, 100))].filter((one) => one !== undefined);
  made.add({ ms: 900, routers: router ? [router] : [] });
  expect(ids(await made.until(1100))).toEqual([51, 7]);
  expect(passed()).toBeWithin(500, 521);
});

test("another one that began later shortens nothing", async () => {
  const { made, pass, passed } = listener([]);
  pass(300);
  made.add({ ms: 100, routers: [] });
  await made.until(1100);
  expect(passed()).toBeWithin(1100, 1121);
});

test("after a long time nothing is waited for, and who was heard long ago is not told", async () => {
  const { made, pass, passed } = listener([
    { at: 10, packet: advert(3, 51, 100) },
    { at: 59_500, packet: advert(3, 7, 100) },
  ]);
  pass(100);
  made.look();
  pass(59_900);
  expect(made.heard(1100)).toMatchObject({ ms: 1100, routers: [{ virtualRouterId: 7 }] });
  expect(ids(await made.until(1100))).toEqual([7]);
  expect(passed()).toBe(60_000);
});

test("of a flood those stay that were heard last", () => {
  const flood = Array.from({ length: 3000 }, (_, i) => ({
    at: i,
    packet: advert(3, 1 + (i % 255), 100).with(14, i >> 8),
  }));
  // One of the first again, and one more.
  for (const i of [2000, 3000])
    flood.push({ at: 3000, packet: advert(3, 1 + (i % 255), 100).with(14, i >> 8) });
  const { made, pass } = listener(flood);
  pass(2999);
  made.look();
  pass(1);
  const { routers } = made.heard(5000);
  expect(routers).toHaveLength(1024);
  expect(ids(routers.slice(-2))).toEqual([1 + (2000 % 255), 1 + (3000 % 255)]);
});

test("a carrier that was away and is back begins the time anew; what was heard before stays heard", async () => {
  const { made, pass, passed, change } = listener([{ at: 800, packet: advert(3, 51, 100) }]);
  pass(1000);
  made.look();
  change({ history: "2:4" });
  pass(50);
  expect(made.heard(1100)).toMatchObject({ ms: 0, routers: [{ virtualRouterId: 51 }] });
  pass(150);
  expect(made.heard(1100).ms).toBe(150);
  await made.until(1100);
  expect(passed()).toBe(1050 + 1100);
});

test("without a carrier, or set down, no time passes", () => {
  const { made, pass, change } = listener([]);
  change({ isUp: false });
  pass(5000);
  expect(made.heard(1100).ms).toBe(0);
  change({ isUp: true });
  pass(100);
  expect(made.heard(1100).ms).toBe(100);
});

test("a link that does not last is listened on for twice the time, not for ever", async () => {
  const { made, passed, change } = listener([{ at: 2000, packet: advert(3, 51, 100) }]);
  change({ isUp: false });
  expect(ids(await made.until(1100))).toEqual([51]);
  expect(passed()).toBe(2200);
});

test("what another one heard does not count after a gap in this one's time", () => {
  const { made, pass, change } = listener([]);
  pass(100);
  const [router] = [parseVrrp(advert(3, 51, 100))].filter((one) => one !== undefined);
  change({ history: "2:4" });
  made.add({ ms: 1100, routers: router ? [router] : [] });
  expect(made.heard(1100)).toMatchObject({ ms: 0, routers: [{ virtualRouterId: 51 }] });
  pass(100);
  made.add({ ms: 1100, routers: [] });
  expect(made.heard(1100).ms).toBe(100);
});

test("an interface that was made anew is listened on by another socket, as soon as there can be one", () => {
  const { made, sockets, pass, change } = listener([]);
  pass(1100);
  change({ index: undefined, history: ":", isUp: false });
  expect(made.heard(1100).ms).toBe(0);
  expect(sockets).toEqual(["socket 0"]);
  change({ index: 3, history: "3:2", isUp: true }, true);
  pass(200);
  expect(made.heard(1100).ms).toBe(0);
  change({});
  pass(200);
  expect(made.heard(1100).ms).toBe(0);
  expect(sockets).toEqual(["socket 0", "socket 1", "socket 0 closed"]);
  pass(200);
  expect(made.heard(1100).ms).toBe(200);
  made.close();
  expect(sockets.at(-1)).toBe("socket 1 closed");
});
