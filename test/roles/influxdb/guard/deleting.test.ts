import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../../src/core/clock.ts";
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
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-deleting-"));
  nodes = ["node1", "node2"].map((name) => {
    const path = join(directory, `${name}.json`);
    const http = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch() {
        if (node.status === 204) node.deleted++;
        return new Response(null, { status: node.status });
      },
    });
    const server = { address: "127.0.0.1", port: http.port ?? 0, org: "chime" };
    const node: Node = {
      name,
      server,
      path,
      deleting: new Deleting(systemClock, path),
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
  // As it comes over the wire.
  ask: async (all) =>
    JSON.parse(JSON.stringify(await node.deleting.told(JSON.parse(JSON.stringify(all)), node, limits))),
});
const away = (node: Node): OtherNode => ({ name: node.name, ask: () => Promise.reject(new Error("away")) });

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
