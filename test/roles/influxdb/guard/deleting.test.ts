import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../../src/core/clock.ts";
import { bothIncluded } from "../../../../src/roles/influxdb/delete.ts";
import { Deleting, type OtherNode, type Own } from "../../../../src/roles/influxdb/guard/deleting.ts";

const limits = { timeoutMs: 5_000 };
const wanted = {
  bucket: "chime",
  start: "2026-11-01T00:00:00.000Z",
  stop: "2026-11-02T00:00:00.000Z",
  predicate: "",
};

/** A node: its server, which counts what is deleted, and what it keeps. */
interface Node extends Own {
  deleting: Deleting;
  path: string;
  deleted: number;
  status: number;
  http: Bun.Server<undefined>;
}

let directory: string;
let nodes: Node[];
/** In its order. */
let said: string[];
/** What servers were asked to delete. */
let bodies: { stop: string }[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-deleting-"));
  [said, bodies] = [[], []];
  nodes = ["node1", "node2"].map((name) => {
    const path = join(directory, `${name}.json`);
    const http = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        bodies.push((await request.json()) as { stop: string });
        if (node.status === 204) {
          node.deleted++;
          said.push(`${name} deletes`);
        }
        return new Response(null, { status: node.status });
      },
    });
    const server = { address: "127.0.0.1", port: http.port ?? 0, org: "chime" };
    const node: Node = {
      name,
      server,
      path,
      deleting: new Deleting(
        systemClock,
        {
          halt: () => Promise.resolve(void said.push(`${name} halts`)),
          late: ({ from, to }) => Promise.resolve(void said.push(`${name} compares ${from} to ${to}`)),
        },
        path,
      ),
      deleted: 0,
      status: 204,
      http,
    };
    return node;
  });
});
afterEach(async () => {
  for (const { http } of nodes) await http.stop(true);
  await rm(directory, { recursive: true });
});

const pair = () => nodes as [Node, Node];
const other = (node: Node): OtherNode => ({
  name: node.name,
  halt: () => Promise.resolve(void said.push(`${node.name} halts`)),
  // As it comes over the wire.
  ask: async (all) =>
    JSON.parse(JSON.stringify(await node.deleting.told(JSON.parse(JSON.stringify(all)), node, limits))),
});
const away = (node: Node): OtherNode => ({
  name: node.name,
  ask: () => Promise.reject(new Error("away")),
  halt: () => Promise.reject(new Error("away")),
});

test("it is done on both, once", async () => {
  const [one, two] = pair();
  const { done, pending } = await one.deleting.delete(wanted, one, other(two), limits);
  expect([done, pending]).toEqual([["node1", "node2"], []]);
  await two.deleting.settle(two, other(one), limits);
  await one.deleting.settle(one, other(two), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([1, 1]);
});

test("on a node that is away it is done before that is filled, by whichever of the two asks", async () => {
  for (const asker of [0, 1] as const) {
    const [one, two] = pair();
    const { done, pending } = await one.deleting.delete(wanted, one, away(two), limits);
    expect([done, pending]).toEqual([["node1"], ["node2"]]);
    const [asks, answers] = asker === 0 ? [one, two] : [two, one];
    await asks.deleting.settle(asks, other(answers), limits);
    expect(nodes.map(({ deleted }) => deleted)).toEqual([asker + 1, asker + 1]);
  }
});

test("while it is not done on the other server nothing may be filled", async () => {
  const [one, two] = pair();
  two.status = 503;
  expect((await one.deleting.delete(wanted, one, other(two), limits)).pending).toEqual(["node2"]);
  await expect(one.deleting.settle(one, other(two), limits)).rejects.toMatchObject({
    code: "influxdb.delete_pending",
  });
  await expect(one.deleting.settle(one, away(two), limits)).rejects.toThrow("away");
  two.status = 204;
  await one.deleting.settle(one, other(two), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([1, 1]);
});

test("what the server does not understand is done nowhere, and never asked for again", async () => {
  const [one, two] = pair();
  one.status = 400;
  const refused = one.deleting.delete({ ...wanted, predicate: "nonsense" }, one, other(two), limits);
  await expect(refused).rejects.toMatchObject({ code: "influxdb.refused" });
  one.status = 204;
  await one.deleting.settle(one, other(two), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([0, 0]);
});

test("a record that is not understood stops the filling until somebody looked at it", async () => {
  const [one, two] = pair();
  await writeFile(one.path, "{");
  await expect(one.deleting.settle(one, other(two), limits)).rejects.toMatchObject({
    code: "influxdb.deletions",
  });
  await rm(one.path);
  await one.deleting.settle(one, other(two), limits);
});

test("what a peer says is checked", async () => {
  const [one] = pair();
  await expect(one.deleting.told([{ id: "x", bucket: 7 }], one, limits)).rejects.toThrow();
});

test("nothing is being filled on either while it is done: what was read before would come back", async () => {
  const [one, two] = pair();
  await one.deleting.delete(wanted, one, other(two), limits);
  expect(said).toEqual(["node1 halts", "node2 halts", "node1 deletes", "node2 halts", "node2 deletes"]);
});

test("where it is done late, that time is compared: points of it may have been written since", async () => {
  const [one, two] = pair();
  await one.deleting.delete(wanted, one, away(two), limits);
  const asked = JSON.parse(await readFile(one.path, "utf8")) as { at: string }[];
  const old = asked.map((deletion) => ({ ...deletion, at: new Date(Date.now() - 3_600_000).toISOString() }));
  said = [];
  await two.deleting.told(old, two, limits);
  const [from, to] = [wanted.start, wanted.stop].map((moment) => Date.parse(moment));
  expect(said).toEqual(["node2 halts", `node2 compares ${from} to ${(to ?? 0) + 1}`, "node2 deletes"]);
});

test("a bucket that a server does not have has nothing to be deleted", async () => {
  const [one, two] = pair();
  two.status = 404;
  expect((await one.deleting.delete(wanted, one, other(two), limits)).pending).toEqual([]);
});

test("what ends at a moment ends a nanosecond before it, on both", async () => {
  const [from, to] = [Date.parse("2026-11-01T00:00:00Z"), Date.parse("2026-11-02T00:00:00Z")];
  expect(bothIncluded({ from, to })).toEqual({
    start: "2026-11-01T00:00:00.000Z",
    stop: "2026-11-01T23:59:59.999999999Z",
  });
  expect(bothIncluded({ from: from + 1, to: to + 1 }).stop).toBe("2026-11-02T00:00:00.000999999Z");
  const [one, two] = pair();
  const exact = { ...wanted, ...bothIncluded({ from, to }) };
  const { pending } = await one.deleting.delete(exact, one, other(two), limits);
  expect([pending, bodies.map(({ stop }) => stop)]).toEqual([[], [exact.stop, exact.stop]]);
});
