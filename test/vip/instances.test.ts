import { expect, test } from "bun:test";
import { vipInstances, vipInterface } from "../../src/vip/instances.ts";
import { context, facts, member, node1, node2 } from "./fixtures.ts";

const request = { name: "mysql", address: "10.0.0.30", nodes: [node2, node1] };

test("both nodes derive the same router id, distinct priorities, and each other as peer", () => {
  const [on1] = vipInstances(context(), [request]);
  const on2facts = {
    ...facts,
    interfaces: [{ name: "ens3", addresses: [{ address: "10.0.0.12", prefix: 24 }] }],
  };
  const [on2] = vipInstances(context({ self: node2, facts: on2facts }), [request]);
  expect(on1).toMatchObject({ priority: 150, interface: "eth0", source: "10.0.0.11", peers: ["10.0.0.12"] });
  expect(on2).toMatchObject({ priority: 100, interface: "ens3", source: "10.0.0.12", peers: ["10.0.0.11"] });
  expect(on1?.virtualRouterId).toBe(on2?.virtualRouterId ?? 0);
  expect(on1?.address).toBe("10.0.0.30/32");
});

test("the node where it belongs comes first, whoever joined before it", () => {
  const nodes = [node1, node2, member("node3", 3, "10.0.0.13")];
  const priorities = nodes.map(
    (self) => vipInstances(context({ self }), [{ ...request, nodes, home: "node2" }])[0]?.priority,
  );
  expect(priorities).toEqual([100, 150, 90]);
});

test("cluster.vrid_base moves the router id", () => {
  const other = context();
  other.spec.cluster.vridBase = 7;
  expect(vipInstances(other, [request])[0]?.virtualRouterId).not.toBe(
    vipInstances(context(), [request])[0]?.virtualRouterId ?? 0,
  );
});

test("many nodes have distinct priorities from 1 to 254", () => {
  const nodes = Array.from({ length: 12 }, (_, i) => member(`n${i}`, i + 1, `10.0.0.${i + 50}`));
  const priorities = nodes.slice(0, 9).map((self) => {
    return vipInstances(context({ self }), [{ ...request, nodes }])[0]?.priority ?? 0;
  });
  expect(priorities).toEqual([150, 100, 90, 80, 70, 60, 50, 40, 30]);
});

test.each([
  ["10.0.0.30", "auto", "eth0"],
  ["172.16.0.9/24", "auto", "mgmt0"],
  ["172.16.0.9", "eth0", undefined],
  ["10.0.0.30", "eth0", "eth0"],
  // A VIP that is already held is a /32: it makes no subnet.
  ["192.168.1.1", "auto", undefined],
])("the VIP %s with interface %s lives on %s", (address, configured, expected) => {
  expect(vipInterface(facts, address, configured)).toBe(expected);
});

test("a VIP outside every subnet is an error of its own", () => {
  expect(() => vipInstances(context(), [{ ...request, address: "10.9.9.9" }])).toThrow(
    expect.objectContaining({ code: "vip.subnet", exit: 2 }),
  );
});

test("two VIPs of one name are refused: they would share a router id", () => {
  expect(() => vipInstances(context(), [request, { ...request, address: "10.0.0.40" }])).toThrow(
    expect.objectContaining({ code: "vip.vrid-clash", exit: 3 }),
  );
});
