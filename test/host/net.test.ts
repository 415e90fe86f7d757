import { describe, expect, test } from "bun:test";
import { parseDefaultRoute, parseInterfaces } from "../../src/host/net.ts";

const addresses = JSON.stringify([
  {
    ifindex: 1,
    ifname: "lo",
    flags: ["LOOPBACK", "UP", "LOWER_UP"],
    addr_info: [{ family: "inet", local: "127.0.0.1", prefixlen: 8, scope: "host", label: "lo" }],
  },
  {
    ifindex: 2,
    ifname: "eth0",
    flags: ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    addr_info: [
      { family: "inet", local: "192.168.231.11", prefixlen: 24, scope: "global" },
      { family: "inet", local: "192.168.231.30", prefixlen: 32, scope: "global", label: "eth0:v" },
      { family: "inet6", local: "fe80::1", prefixlen: 64, scope: "link" },
    ],
  },
  { ifindex: 3, ifname: "eth1", flags: ["BROADCAST", "MULTICAST"], addr_info: [] },
  {},
  { ifindex: 4, ifname: "bond0", flags: ["UP"] },
]);

test("parseInterfaces: up, not loopback, IPv4 only", () => {
  expect(parseInterfaces(addresses)).toEqual([
    {
      name: "eth0",
      addresses: [
        { address: "192.168.231.11", prefix: 24 },
        { address: "192.168.231.30", prefix: 32 },
      ],
    },
    { name: "bond0", addresses: [] },
  ]);
  expect(parseInterfaces("")).toEqual([]);
});

describe("parseDefaultRoute", () => {
  const onLink = { dst: "192.168.231.0/24", dev: "eth0", scope: "link" };
  test.each<[string, object[], ReturnType<typeof parseDefaultRoute>]>([
    ["none", [onLink], null],
    [
      "one",
      [{ dst: "default", gateway: "192.168.231.1", dev: "eth0" }, onLink],
      { interface: "eth0", gateway: "192.168.231.1" },
    ],
    [
      "the lowest metric",
      [
        { dst: "default", gateway: "10.0.0.1", dev: "wlan0", metric: 600 },
        { dst: "default", gateway: "10.1.0.1", dev: "eth0", metric: 100 },
      ],
      { interface: "eth0", gateway: "10.1.0.1" },
    ],
    [
      "without a gateway",
      [{ dst: "default", dev: "tun0", scope: "link" }],
      { interface: "tun0", gateway: "" },
    ],
  ])("%s", (_name, routes, wanted) => {
    expect(parseDefaultRoute(JSON.stringify(routes))).toEqual(wanted);
  });

  test("no routes at all", () => {
    expect(parseDefaultRoute("")).toBeNull();
  });
});
