import { expect, test } from "bun:test";
import type { Finding } from "../../src/host/checks.ts";
import type { RoleContext } from "../../src/roles/types.ts";
import { vipCheckNames, vipChecks, type Surroundings } from "../../src/vip/checks.ts";
import { virtualRouterId } from "../../src/vip/vrid.ts";
import { context, node1, node2 } from "./fixtures.ts";

const quiet: Surroundings = {
  whoHas: () => Promise.resolve(new Map()),
  listenVrrp: () => Promise.resolve([]),
  localAddresses: () => Promise.resolve(new Set(["10.0.0.11"])),
  keepalivedConfig: () => Promise.resolve(undefined),
};

async function findings(
  surroundings: Partial<Surroundings>,
  address = "10.0.0.30",
  given: RoleContext = context(),
): Promise<Record<string, Finding>> {
  const requests = [{ name: "mysql", address, nodes: [node1, node2] }];
  const checks = vipChecks({ context: given, requests }, { ...quiet, ...surroundings });
  const found = await Promise.all(checks.map(async (check) => [check.name, await check.run()] as const));
  return Object.fromEntries(found.filter((entry): entry is [string, Finding] => entry[1] !== undefined));
}

test("a free address in a quiet network passes", async () => {
  expect(await findings({})).toEqual({});
});

test("without a VIP there is nothing to check", () => {
  expect(vipChecks({ context: context(), requests: [] })).toEqual([]);
});

test.each(["10.9.9.9", "10.0.0.0", "10.0.0.255"])("%s cannot be a VIP here", async (address) => {
  expect(Object.keys(await findings({}, address))).toEqual(["vip.subnet"]);
});

test("the message names the subnets there are", async () => {
  const found = await findings({}, "10.9.9.9");
  expect(found["vip.subnet"]?.message).toContain("eth0 10.0.0.11/24");
});

test("an interface that is configured but does not hold the subnet is named", async () => {
  const given = context();
  given.spec.cluster.interface = "bond7";
  expect((await findings({}, "10.0.0.30", given))["vip.subnet"]?.message).toContain("of no address of bond7");
});

test("a member's address is no VIP", async () => {
  expect((await findings({}, "10.0.0.12"))["vip.member-address"]?.message).toContain("node2");
});

test("an address that answers is refused, with who answered", async () => {
  const found = await findings({
    whoHas: () => Promise.resolve(new Map([["10.0.0.30", "02:00:00:00:00:99"]])),
  });
  expect(found["vip.in-use"]).toMatchObject({
    severity: "error",
    message: expect.stringContaining("02:00:00:00:00:99"),
  });
});

test("a VIP that another member holds is in its place", async () => {
  const answers = new Map([
    ["10.0.0.30", "02:00:00:00:00:12"],
    ["10.0.0.12", "02:00:00:00:00:12"],
  ]);
  expect(await findings({ whoHas: () => Promise.resolve(answers) })).toEqual({});
});

test("a VIP on this node is fine where our keepalived put it, and refused where somebody else did", async () => {
  const held: Partial<Surroundings> = { localAddresses: () => Promise.resolve(new Set(["10.0.0.30"])) };
  const text = "# Written by chime-node for cluster c0ffee; …\nglobal_defs {\n}\n";
  expect(await findings({ ...held, keepalivedConfig: () => Promise.resolve(text) })).toEqual({});
  expect(Object.keys(await findings(held))).toEqual(["vip.in-use"]);
});

test("a router id on the wire is refused, and the base that the remedy names is free of it", async () => {
  const id = virtualRouterId("c0ffee", "mysql");
  const all = Array.from({ length: 254 }, (_, i) => (i + 1 < id ? i + 1 : i + 2)).filter(
    (other) => other !== 200,
  );
  const heard = [id, ...all].map((virtualRouterId) => ({
    virtualRouterId,
    sender: "10.0.0.1",
    version: 2 as const,
    priority: 100,
  }));
  const listenVrrp = () => Promise.resolve(heard);
  const finding = (await findings({ listenVrrp }))["vip.router-id"];
  expect(finding?.message).toContain(`router id ${id} is in use on this network by 10.0.0.1`);
  const base = Number(/e\.g\. (\d+)/.exec(finding?.remedy ?? "")?.[1]);
  expect(virtualRouterId("c0ffee", "mysql", base)).toBe(200);
  const moved = context();
  moved.spec.cluster.vridBase = base;
  expect(await findings({ listenVrrp }, "10.0.0.30", moved)).toEqual({});
});

test("without a cluster there is no router id to look for, and the network is not asked", async () => {
  const deaf: Partial<Surroundings> = { listenVrrp: () => Promise.reject(new Error("asked")) };
  const none = context({ cluster: { name: "chime", id: "" } });
  expect(await findings(deaf, "10.0.0.30", none)).toEqual({});
});

test.each([
  ["vrrp_instance VI_1 {\n}\n", "not ours"],
  ["# Written by chime-node for cluster other1; …\n", "another chime-node cluster (other1)"],
])("keepalived that serves another is refused: %p", async (text, why) => {
  const found = await findings({ keepalivedConfig: () => Promise.resolve(text) });
  expect(found["keepalived.foreign"]?.message).toContain(why);
});

test("an empty keepalived.conf is nobody's", async () => {
  expect(await findings({ keepalivedConfig: () => Promise.resolve("\n") })).toEqual({});
});

test("the names that a joiner may ignore are those of the checks", () => {
  const requests = [{ name: "mysql", address: "10.0.0.30", nodes: [node1, node2] }];
  const names = vipChecks({ context: context(), requests }, quiet).map(({ name }) => name);
  expect(names).toEqual(vipCheckNames);
});
