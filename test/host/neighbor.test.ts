import { expect, test } from "bun:test";
import { isSilent, isSilentNeighbor } from "../../src/host/neighbor.ts";

const table = `IP address       HW type     Flags       HW address            Mask     Device
10.77.0.12       0x1         0x2         02:00:00:00:00:12     *        eth0
10.77.0.1        0x1         0x6         02:00:00:00:00:01     *        eth0
10.77.0.99       0x1         0x0         00:00:00:00:00:00     *        eth0
`;

test.each([
  ["10.77.0.99", true],
  ["10.77.0.12", false],
  ["10.77.0.1", false],
  ["10.77.0.9", false],
  ["IP", false],
  ["", false],
])("%s: silent %p", (address, silent) => {
  expect(isSilent(table, address)).toBe(silent);
  expect(isSilent("", address)).toBe(false);
});

test("of this kernel: this machine itself is nobody's neighbor", () => {
  expect(isSilentNeighbor("127.0.0.1")).toBe(false);
});
