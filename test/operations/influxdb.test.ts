import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { paths } from "../../src/core/paths.ts";
import {
  compareServers,
  deleteFromServers,
  repairServers,
  requireBoth,
  requireBucket,
} from "../../src/operations/influxdb.ts";
import { StandInServer } from "../lab/stand-in-influxdb.ts";

const io = {
  signal: new AbortController().signal,
  progress: () => undefined,
  confirm: () => Promise.reject(new Error("nothing is asked")),
} as never;
const request = { from: undefined, to: undefined, contents: false, fast: false };

test("a repair of a time that is none is wrong usage, before anything is asked of anybody", async () => {
  const ahead = Date.now() + 3_600_000;
  for (const run of [repairServers, compareServers]) {
    await expect(run({ ...request, from: ahead }, io)).rejects.toMatchObject({
      code: "usage.range",
      exit: 2,
      message: expect.stringContaining("--from is not before now"),
    });
    await expect(run({ ...request, from: ahead, to: ahead - 1 }, io)).rejects.toMatchObject({
      code: "usage.range",
      message: expect.stringContaining("--from is not before --to"),
    });
  }
});

test("a deletion that is too long to be told is wrong usage, before anything is asked of anybody", async () => {
  const where = `host="${"x".repeat(2_048)}"`;
  const run = deleteFromServers({ from: 0, to: 1, bucket: undefined, where }, io, () => undefined);
  await expect(run).rejects.toMatchObject({ code: "influxdb.long_where", exit: 2 });
});

test("to delete what lies ahead is wrong usage: it was said to be done, and nothing was", async () => {
  const from = Date.now() + 3_600_000;
  const ahead = { from, to: from + 1, bucket: undefined, where: undefined };
  await expect(deleteFromServers(ahead, io, () => undefined)).rejects.toMatchObject({
    code: "usage.range",
    exit: 2,
    message: expect.stringContaining("--from is in the future, and delete goes up to now"),
  });
});

test("a bucket that nobody made is told with those that there are", async () => {
  const mine = { address: "127.86.3.3", port: 8086, org: "chime" };
  const server = StandInServer.start(mine.address, mine.port);
  const twins = { names: { mine: "node1", other: "node2" }, mine };
  try {
    await requireBucket("raw", twins, { timeoutMs: 5_000 });
    await expect(requireBucket("row", twins, { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: "influxdb.no_bucket",
      exit: 2,
      message: "node1 has no bucket row: its buckets are chime, chime-node, raw",
    });
  } finally {
    await server.stop();
  }
});

/** As whoever runs the tests: root, on a machine that is in no cluster, or somebody else. */
test("a repair where there is no cluster says so, as a comparison does, and leaves no lock behind", async () => {
  const isThere = existsSync(paths.run);
  const why = await compareServers(request, io).catch((error: { code: string }) => error.code);
  expect(["node.no_cluster", "node.not_root"]).toContain(why as string);
  await expect(repairServers(request, io)).rejects.toMatchObject({ code: why });
  expect(existsSync(paths.run)).toBe(isThere);
});

test("a server that is not there is named before anything is compared", async () => {
  const [here, gone] = ["127.86.3.1", "127.86.3.2"].map((address) => ({ address, port: 8086, org: "chime" }));
  if (!here || !gone) throw new Error("two were made");
  const server = StandInServer.start(here.address, here.port);
  try {
    const names = { mine: "node1", other: "node2" };
    await requireBoth({ names, mine: here, other: here }, io);
    await expect(requireBoth({ names, mine: here, other: gone }, io)).rejects.toMatchObject({
      code: "influxdb.not_both",
      exit: 1,
      message: "node2: no InfluxDB answers there, and it takes both",
    });
    await expect(requireBoth({ names, mine: gone, other: gone }, io)).rejects.toMatchObject({
      message: "node1 and node2: no InfluxDB answers there, and it takes both",
    });
  } finally {
    await server.stop();
  }
});
