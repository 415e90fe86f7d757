import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peerFrameBytes } from "../../../../src/cluster/channel.ts";
import { encodeFrame } from "../../../../src/cluster/frame.ts";
import { Deletions, mostPredicate } from "../../../../src/roles/influxdb/gap/deleted.ts";
import type { Server } from "../../../../src/roles/influxdb/client.ts";

const limits = { timeoutMs: 5_000 };
const day = 86_400_000;
const now = Date.parse("2026-11-22T12:00:00Z");
const wanted = {
  bucket: "chime",
  start: "2026-11-01T00:00:00Z",
  stop: "2026-11-02T00:00:00Z",
  predicate: '_measurement="cpu"',
};

const twins = ["node1", "node2"];

let directory: string;
let asked: unknown[];
let http: Bun.Server<undefined>;
let server: Server;
let status: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-deletions-"));
  [asked, status] = [[], 204];
  http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      asked.push(await request.json());
      return new Response(null, { status });
    },
  });
  server = { address: "127.0.0.1", port: http.port ?? 0, org: "chime" };
});
afterEach(async () => {
  await http.stop(true);
  await rm(directory, { recursive: true });
});

const load = (name = "one.json") => Deletions.load(join(directory, name));

/** All that is due there. @returns how many */
async function apply(deletions: Deletions, node: string, at = now): Promise<number> {
  const due = deletions.dueOn(node, twins);
  for (const one of due) await deletions.applyOn(node, server, one, limits, at);
  return due.length;
}

test("it is recorded before it is done, done once on each node, and known after a restart", async () => {
  const deletions = await load();
  await deletions.add(wanted, now, twins);
  expect((await load()).pendingOn("node1")).toMatchObject([wanted]);
  expect(await apply(await load(), "node1")).toBe(1);
  const again = await load();
  expect(await apply(again, "node1")).toBe(0);
  expect(again.pendingOn("node2")).toHaveLength(1);
  const { bucket: _, ...rest } = wanted;
  expect(asked).toEqual([rest]);
});

test("one that the server refuses stays to be done", async () => {
  const deletions = await load();
  await deletions.add(wanted, now, twins);
  status = 500;
  await expect(apply(deletions, "node1")).rejects.toMatchObject({
    code: "influxdb.broken",
  });
  expect((await load()).pendingOn("node1")).toHaveLength(1);
});

test("it is done on the node where it was asked for, and only then on the other one", async () => {
  const deletions = await load();
  await deletions.add({ ...wanted, by: "node1" }, now, twins);
  expect(deletions.pendingOn("node2")).toHaveLength(1);
  expect(deletions.dueOn("node2", twins)).toEqual([]);
  // Whoever has left does nothing first.
  expect(deletions.dueOn("node2", ["node2", "node3"])).toHaveLength(1);
  expect([await apply(deletions, "node2"), await apply(deletions, "node1")]).toEqual([0, 1]);
  expect(await apply(deletions, "node2")).toBe(1);
});

test("what the server does not understand is told, and still to be done", async () => {
  const deletions = await load();
  await deletions.add({ ...wanted, by: "node1" }, now, twins);
  status = 400;
  await expect(apply(deletions, "node1")).rejects.toMatchObject({ code: "influxdb.refused" });
  expect(deletions.dueOn("node1", twins)).toHaveLength(1);
});

test("what is given up does not come back from the other node, which has heard of it", async () => {
  const [one, two] = [await load("one.json"), await load("two.json")];
  const { id } = await one.add({ ...wanted, by: "node1" }, now, twins);
  await two.merge(one.all, now);
  await one.giveUp(id, twins, now);
  await one.merge(two.all, now);
  await two.merge(one.all, now);
  for (const node of twins) expect([...one.pendingOn(node), ...two.pendingOn(node)]).toEqual([]);

  const alone = await load("alone.json");
  await alone.giveUp((await alone.add(wanted, now, ["node1"])).id, ["node1"], now);
  expect(alone.all).toEqual([]);
});

test("it ends when it was asked for, at the latest", async () => {
  const deletion = await (await load()).add({ ...wanted, stop: "2030-01-01T00:00:00Z" }, now, twins);
  expect(deletion.stop).toBe("2026-11-22T12:00:00.000Z");
});

test("two nodes tell each other what is to be deleted, and where it was", async () => {
  const [one, two] = [await load("one.json"), await load("two.json")];
  await one.add(wanted, now, twins);
  await apply(one, "node1");
  await two.add({ ...wanted, bucket: "other" }, now + 1, twins);
  await two.merge(one.all, now);
  expect(two.pendingOn("node2").map(({ bucket }) => bucket)).toEqual(["chime", "other"]);
  expect(two.pendingOn("node1").map(({ bucket }) => bucket)).toEqual(["other"]);
  await apply(two, "node2");
  await one.merge(two.all, now);
  expect(one.pendingOn("node1").map(({ bucket }) => bucket)).toEqual(["other"]);
  expect(one.pendingOn("node2")).toEqual([]);
});

test("it is forgotten two days after it was done on both, and never before", async () => {
  const deletions = await load();
  await deletions.add(wanted, now, twins);
  await apply(deletions, "node1", now + 100 * day);
  expect((await load()).all).toHaveLength(1);
  await apply(deletions, "node2", now + 1 * day);
  expect((await load()).all).toHaveLength(1);
  await deletions.merge([], now + 3 * day);
  expect((await load()).all).toEqual([]);
});

test.each<[string, string[], number, boolean]>([
  ["the other one is away", twins, 3 * day, false],
  ["the other one was removed, or never was", ["node1"], 3 * day, true],
  ["all were done just now", ["node1"], 1 * day, false],
])(
  "where there is no more room what all nodes have done long ago makes way, the oldest first: %s",
  async (_, present, ago, isTaken) => {
    const many = Array.from({ length: 1_000 }, (_, i) => {
      const at = new Date(now - ago + i).toISOString();
      // The first one was not done even here.
      return { ...wanted, id: `${i}`, at, done: i === 0 ? [] : ["node1"] };
    });
    await writeFile(join(directory, "one.json"), JSON.stringify(many));
    const deletions = await load();
    const added = deletions.add(wanted, now, present);
    if (isTaken) await added;
    else await expect(added).rejects.toMatchObject({ code: "influxdb.many_deletions", exit: 3 });
    const ids = (await load()).all.map(({ id }) => id);
    expect([ids.length, ids[0], ids.includes("1")]).toEqual([1_000, "0", !isTaken]);
  },
);

test("what both nodes know can be told in one message, however much it says", async () => {
  const large = { ...wanted, predicate: `host="${"é".repeat(mostPredicate - 7)}"` };
  const deletions = await load();
  const add = async (): Promise<number> => {
    for (let n = 0; ; n++) {
      const error = await deletions.add(large, now, twins).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (error === undefined) continue;
      expect(error).toMatchObject({ code: "influxdb.many_deletions", exit: 3 });
      return n;
    }
  };
  expect(await add()).toBeGreaterThan(50);
  // Apart from each other both were full.
  expect(encodeFrame({ id: 1, params: [...deletions.all, ...deletions.all] }).length).toBeLessThan(
    0.9 * peerFrameBytes,
  );
});

test("a record that is not understood is not taken for none", async () => {
  await writeFile(join(directory, "one.json"), "[{}]");
  await expect(load()).rejects.toThrow();
});
