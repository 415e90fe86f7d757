import { expect, test } from "bun:test";
import { inSubnet, ipv4Bytes, ipv4Number } from "../../src/host/ipv4.ts";

test.each([
  ["0.0.0.0", 0],
  ["10.0.0.30", 0x0a00001e],
  ["255.255.255.255", 0xffffffff],
  ["256.0.0.1", undefined],
  ["1.2.3", undefined],
  ["1.2.3.4/24", undefined],
  ["::1", undefined],
  ["", undefined],
])("%p as a number is %p", (text, number) => {
  expect(ipv4Number(text)).toBe(number);
});

test.each([
  ["10.0.0.30", "10.0.0.11", 24, true],
  ["10.0.1.30", "10.0.0.11", 24, false],
  ["10.0.1.30", "10.0.0.11", 23, true],
  ["200.1.1.1", "10.0.0.11", 0, true],
  ["10.0.0.11", "10.0.0.11", 32, true],
  ["10.0.0.12", "10.0.0.11", 32, false],
  ["nonsense", "10.0.0.11", 8, false],
])("%s in the subnet of %s/%p: %p", (address, own, prefix, expected) => {
  expect(inSubnet(address, own, prefix)).toBe(expected);
});

test("bytes are in network order", () => {
  expect([...ipv4Bytes("10.0.0.30")]).toEqual([10, 0, 0, 30]);
});
