import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLink } from "../../src/host/link.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "link-"));
});
afterEach(() => rm(root, { recursive: true }));

/** As the kernel lists an interface; those below it are links there, whose names are all that is read. */
async function has(name: string, index: number, changes: number, operstate: string, below: string[] = []) {
  const path = join(root, name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "ifindex"), `${index}\n`);
  await writeFile(join(path, "carrier_changes"), `${changes}\n`);
  await writeFile(join(path, "operstate"), `${operstate}\n`);
  for (const lower of below) await writeFile(join(path, `lower_${lower}`), "");
}

test.each([
  ["up", true],
  ["unknown", true],
  ["down", false],
  ["lowerlayerdown", false],
  ["dormant", false],
  ["notpresent", false],
])("%s: something can come by it: %p", async (operstate, isUp) => {
  await has("eth0", 2, 3, operstate);
  expect(readLink("eth0", root)).toEqual({ index: 2, history: "2:3", isUp });
});

test("one that is not there is not up, and has no index", () => {
  expect(readLink("eth0", root)).toMatchObject({ index: undefined, isUp: false });
});

test("a change of any that is below it is one of its own, of another one is none", async () => {
  await has("eth0", 2, 1, "up");
  await has("eth1", 3, 1, "down");
  await has("eth2", 4, 1, "up");
  await has("bond0", 5, 1, "up", ["eth0", "eth1"]);
  await has("vlan7", 6, 1, "up", ["bond0"]);
  const first = readLink("vlan7", root);
  expect(first).toMatchObject({ index: 6, isUp: true });
  await has("eth2", 4, 2, "up");
  expect(readLink("vlan7", root)).toEqual(first);
  await has("eth1", 3, 2, "up");
  expect(readLink("vlan7", root).history).not.toBe(first.history);
});

test("this machine's own loopback is there", () => {
  expect(readLink("lo")).toMatchObject({ index: 1, isUp: true });
});
