import { expect, test } from "bun:test";
import { chooseAddress } from "../../src/operations/local.ts";
import { failure } from "../plan/failure.ts";

const eth0 = { name: "eth0", addresses: [{ address: "10.0.0.11", prefix: 24 }] };
const eth1 = { name: "eth1", addresses: [{ address: "10.1.0.11", prefix: 24 }] };
const vip = { name: "eth1", addresses: [{ address: "10.1.0.30", prefix: 32 }] };
const machine = (...interfaces: (typeof eth0)[]) => ({ interfaces, defaultRoute: null });
const routed = { interface: "eth1", gateway: "10.1.0.1" };

test("the given one, else the one in a VIP's subnet, else the default route's, else the only one", () => {
  const both = machine(eth0, eth1);
  expect(chooseAddress("10.0.0.11", both)).toBe("10.0.0.11");
  expect(chooseAddress(undefined, { ...both, defaultRoute: routed }, ["10.0.0.30"])).toBe("10.0.0.11");
  expect(chooseAddress(undefined, { ...both, defaultRoute: routed })).toBe("10.1.0.11");
  expect(chooseAddress(undefined, machine(eth0, vip))).toBe("10.0.0.11");
});

test.each([
  ["one that is not here", "10.9.9.9", machine(eth0), "node.bad_address", /10\.0\.0\.11 \(eth0\)/],
  [
    "two that nothing tells apart",
    undefined,
    machine(eth0, eth1),
    "node.no_address",
    /10\.0\.0\.11.*10\.1\.0\.11/,
  ],
  ["none at all", undefined, machine(), "node.no_address", /has no IPv4 address/],
] as const)("%s is told", async (_, given, facts, code, message) => {
  const choosing = (async () => chooseAddress(given, facts))();
  expect(await failure(choosing)).toMatchObject({ code, exit: 2, message: expect.stringMatching(message) });
});
