import { beforeEach, expect, test } from "bun:test";
import { Mounts } from "../../src/agent/mounts.ts";
import { givenDisk } from "../host/disks/facts.ts";

const [one, two] = [givenDisk(1), givenDisk(2)];

/** Disks by label: `in` is plugged in, `at` is mounted. */
let plugged: Set<string>;
let mounted: Set<string>;
let readOnly: Set<string>;
let tried: string[];
let broken: boolean;
let mounts: Mounts;
beforeEach(() => {
  [plugged, mounted, tried] = [new Set([one.label, two.label]), new Set([one.label, two.label]), []];
  broken = false;
  readOnly = new Set();
  mounts = new Mounts(
    { now: () => 0 },
    {
      given: () =>
        broken ? Promise.reject(new Error("disks.json cannot be read")) : Promise.resolve([one, two]),
      isMounted: ({ label }) => mounted.has(label),
      isReadOnly: ({ label }) => readOnly.has(label),
      isMade: () => Promise.resolve(true),
      plugged: () => [...plugged].join(" "),
      mount({ label }) {
        tried.push(label);
        if (!plugged.has(label)) return Promise.reject(new Error("no such disk"));
        mounted.add(label);
        return Promise.resolve();
      },
    },
  );
});

async function look() {
  await mounts.look();
  return mounts.problems("node1").map(({ message }) => message);
}

test("all at their places: nothing to say, nothing to do", async () => {
  expect(await look()).toEqual([]);
  expect(tried).toEqual([]);
});

test("what is not mounted when the agent starts is mounted", async () => {
  mounted.delete(two.label);
  expect(await look()).toEqual([]);
  expect(tried).toEqual([two.label]);
});

test("one that is pulled is told, not asked for again and again, and mounted when it is back", async () => {
  await look();
  plugged.delete(one.label);
  mounted.delete(one.label);
  for (let i = 0; i < 3; i++) {
    expect(await look()).toEqual([expect.stringMatching(/^nothing is mounted at \/store\/disk1 of node1, /)]);
  }
  expect(tried).toEqual([]);
  plugged.add(one.label);
  expect(await look()).toEqual([]);
  expect(tried).toEqual([one.label]);
});

test("what is advised in place of a disk that failed is a whole command", async () => {
  await look();
  plugged.delete(one.label);
  mounted.delete(one.label);
  readOnly.add(two.label);
  await look();
  const advised = mounts
    .problems("node1")
    .map(({ remedy }) => /chime-node disk replace .*/.exec(remedy)?.[0]);
  expect(advised).toEqual([
    "chime-node disk replace /store/disk1 --disk DEV",
    "chime-node disk replace /store/disk2 --disk DEV",
  ]);
});

test("one that somebody else has just put at its place is missing no more", async () => {
  await look();
  mounted.delete(one.label);
  expect(await look()).toHaveLength(1);
  mounted.add(one.label);
  expect(mounts.problems("node1")).toEqual([]);
});

test("a record that cannot be read is told, and forgotten when it can", async () => {
  broken = true;
  expect(await look()).toEqual([expect.stringMatching(/cannot be told: disks.json cannot be read$/)]);
  broken = false;
  expect(await look()).toEqual([]);
});

test("what somebody unmounted stays so, and is told", async () => {
  await look();
  mounted.delete(one.label);
  for (let i = 0; i < 3; i++) expect(await look()).toHaveLength(1);
  expect(tried).toEqual([]);
});

test("one that cannot be mounted: why, and tried again only when something is plugged in", async () => {
  plugged.delete(one.label);
  mounted.delete(one.label);
  expect(await look()).toEqual([expect.stringMatching(/: no such disk$/)]);
  expect(await look()).toHaveLength(1);
  expect(tried).toEqual([one.label]);
  plugged.add("another");
  expect(await look()).toEqual([expect.stringMatching(/: no such disk$/)]);
  expect(tried).toEqual([one.label, one.label]);
});

test("one to which nothing can be written is told as long as it is so", async () => {
  readOnly.add(two.label);
  expect(await look()).toEqual([expect.stringMatching(/^\/store\/disk2 of node1 is read-only: /)]);
  readOnly.clear();
  expect(await look()).toEqual([]);
});
