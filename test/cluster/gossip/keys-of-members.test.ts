import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { KeyRing } from "../../../src/cluster/gossip/keyring.ts";
import { loadCredentials } from "../../../src/cluster/identity.ts";
import type { OpenCluster } from "../../../src/cluster/open.ts";
import { codeOf, invite, lab, until, type Lab } from "../support.ts";

const port = 18_828;
let nodes: Lab;
let one: OpenCluster;
let two: OpenCluster;
let three: OpenCluster;
beforeEach(async () => {
  nodes = await lab(port);
  one = await nodes.init("node1", "127.0.0.1");
  const { token } = await invite(one);
  two = await nodes.join(token, "node2", "127.0.0.2", ["mysql"]);
  three = await nodes.join(token, "node3", "127.0.0.3", ["witness"]);
  await until("all to know of rotations", () => members().every((of) => of.keyRotation.progress().done));
});
afterEach(() => nodes.close());

const members = () => [one, two, three];
const ringOf = async (name: string) => (await loadCredentials(nodes.files(name).pki))?.keyRing as KeyRing;
const isRotated = () =>
  members().every(({ keyRotation }) => keyRotation.progress().done && keyRotation.progress().version > 0);

test("members that join have the ring, and a rotation brings all another one, over TLS and onto their disks", async () => {
  const before = await ringOf("node1");
  expect([await ringOf("node2"), await ringOf("node3")]).toEqual([before, before]);
  expect(await codeOf(three.keyRotation.begin())).toBe("keys.witness");
  await two.keyRotation.begin();
  await until("the rotation", isRotated, 15_000);
  const after = await ringOf("node1");
  expect(after.version).toBe(3);
  expect(after.keys).not.toContain(before.keys[0] as string);
  for (const name of ["node2", "node3"]) {
    expect(await ringOf(name)).toEqual(after);
    expect((await stat(join(nodes.files(name).pki, "gossip.key"))).mode & 0o777).toBe(0o600);
    // Neither key is in what members share.
    const shared = await readFile(nodes.files(name).state, "utf8");
    for (const key of [...before.keys, ...after.keys]) expect(shared).not.toContain(key);
  }
  const { token } = await invite(one);
  await nodes.join(token, "node4", "127.0.0.4", ["server"]);
  expect(await ringOf("node4")).toEqual(after);
}, 30_000);

test("a member that was away has the ring soon after it is back", async () => {
  await two.stop();
  await until("it is missed", () => one.membership.members()[1]?.state === "dead");
  await one.keyRotation.begin();
  await until("the rotation", () => one.keyRotation.progress().done, 15_000);
  expect(one.keyRotation.progress().away).toEqual(["node2"]);
  expect((await ringOf("node2")).version).toBe(0);
  two = await nodes.open("node2", "127.0.0.2");
  await until("it has the ring", isRotated);
  expect(await ringOf("node2")).toEqual(await ringOf("node1"));
}, 30_000);
