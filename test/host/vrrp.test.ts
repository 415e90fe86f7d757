import { expect, test } from "bun:test";
import { parseVrrp } from "../../src/host/vrrp.ts";

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
