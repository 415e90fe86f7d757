import { expect, test } from "bun:test";
import { parseVrrp } from "../../src/host/vrrp.ts";
import { resignationOf } from "../../src/host/vrrp-resign.ts";

const resignation = {
  virtualRouterId: 7,
  intervalMs: 250,
  from: "10.77.0.12",
  to: "10.77.0.11",
  address: "10.77.0.40",
};

test("an advert of VRRP 3 with priority 0, to one router", () => {
  expect(Buffer.from(resignationOf(resignation)).toString("hex")).toBe(
    "4500002000000000ff7000000a4d000c0a4d000b310700010019af3c0a4d0028",
  );
});

test("its checksum is right: the sum over the pseudo header and the advert is all ones", () => {
  for (const virtualRouterId of [1, 128, 255]) {
    const packet = resignationOf({ ...resignation, virtualRouterId, from: "255.254.253.252" });
    let sum = 112 + 12;
    for (let at = 12; at < 32; at += 2) sum += new DataView(packet.buffer).getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    expect(sum).toBe(0xffff);
  }
});

test("who listens for other routers takes none of ours for one", () => {
  expect(parseVrrp(resignationOf(resignation))).toBeUndefined();
});
