import { expect, test } from "bun:test";
import { failed } from "../../../../src/core/errors.ts";
import { Filler, type Sides } from "../../../../src/roles/influxdb/guard/filler.ts";
import type { Server } from "../../../../src/roles/influxdb/client.ts";
import { StandInServer } from "../../../lab/stand-in-influxdb.ts";
import type { Outage, Past } from "../../../../src/roles/influxdb/outages.ts";

let now = 0;
const clock = { now: () => now, wall: () => 1_000_000, sleep: () => Promise.resolve() };
const unseen: Outage = { from: 100_000, to: 110_000, sure: false };
const missing: Outage = { from: 300_000, to: 310_000, sure: true };

test.each<[string, Outage[], 0 | 1 | 2 | undefined, boolean]>([
  ["nothing else", [unseen], undefined, false],
  ["what is known to be missing here", [unseen, missing], undefined, true],
  ["what is known to be missing there", [unseen], 2, true],
  ["what nobody has looked at there", [unseen], 1, false],
  ["a bucket that is held up and tried again", [unseen, { ...missing, bucket: "raw" }], undefined, false],
])("what is under way makes room or not: %s", async (_, outages, theirs, ends) => {
  const filler = new Filler(clock, "/nonexistent/fill");
  const sides = Promise.withResolvers<Sides>();
  const settled = filler
    .settle(unseen, () => sides.promise, { timeoutMs: 1_000 })
    .then(
      () => true,
      () => false,
    );
  filler.giveWay(outages, theirs);
  sides.reject(new Error("the test has seen enough"));
  expect(await settled).toBe(ends);
});

test("what was found missing by a look at all times is due whatever its time, and other times once they are over", () => {
  const filler = new Filler(clock, "/nonexistent/fill");
  const ahead: Outage = { from: 9_000_000, to: 9_001_000, sure: true };
  const old: Outage = { ...ahead, hint: "old" };
  const all: Outage = { from: 0, to: 9_000_000_000, sure: false, hint: "old" };
  expect(filler.next([ahead])).toBeUndefined();
  expect(filler.next([all, ahead])).toEqual(all as Past);
  expect(filler.next([all, unseen])).toEqual(unseen as Past);
  expect(filler.next([all, old, unseen])).toEqual(old as Past);
});

const fails = (filler: Filler, outage: Outage, code: string) =>
  expect(
    filler.settle(outage, () => Promise.reject(failed(code, "not now")), { timeoutMs: 1_000 }),
  ).rejects.toMatchObject({ code });

test.each([
  ["a server that was only not there", "influxdb.unreachable", 2_000],
  ["one that is being started", "influxdb.starting", 2_000],
  ["one that refuses", "influxdb.denied", 30_000],
])("what came to no end is left for a while: %s", async (_, code, ms) => {
  now = 0;
  const filler = new Filler(clock, "/nonexistent/fill");
  expect(filler.next([unseen, missing])).toEqual(missing as Past);
  await fails(filler, missing, code);
  expect(filler.trouble?.code).toBe(code);
  expect(filler.next([unseen, missing])).toEqual(unseen as Past);
  now = ms - 1;
  expect(filler.next([missing])).toBeUndefined();
  now = ms;
  expect(filler.next([missing])).toEqual(missing as Past);
});

test("outages that are compared as one are left as one", async () => {
  now = 0;
  const filler = new Filler(clock, "/nonexistent/fill");
  const outages = [missing, { ...missing, from: 320_000, to: 330_000 }];
  const whole = filler.next(outages);
  expect(whole).toEqual({ ...missing, to: 330_000 });
  await fails(filler, whole as Past, "influxdb.denied");
  expect(filler.next(outages)).toBeUndefined();
  expect(filler.trouble?.code).toBe("influxdb.denied");
});

test("why it comes to no end is told of what is missing, where anything is", async () => {
  now = 0;
  const filler = new Filler(clock, "/nonexistent/fill");
  filler.next([unseen]);
  await fails(filler, unseen, "influxdb.unreachable");
  expect(filler.trouble?.code).toBe("influxdb.unreachable");
  filler.next([unseen, missing]);
  expect(filler.trouble).toBeUndefined();
  await fails(filler, missing, "influxdb.denied");
  expect(filler.trouble?.code).toBe("influxdb.denied");
});

test("what waits for a deletion is told until that is done, whatever is compared next, and is due then", async () => {
  now = 0;
  const filler = new Filler(clock, "/nonexistent/fill");
  const server = { address: "127.0.0.1", port: 1, org: "chime" };
  const settle = (outage: Outage, prepare: () => Promise<Sides>) =>
    expect(filler.settle(outage, prepare, { timeoutMs: 1_000 })).rejects.toThrow();
  const pending = failed("influxdb.delete_pending", "not deleted on node2 yet");
  filler.next([unseen]);
  await settle(unseen, () => Promise.reject(pending));
  expect(filler.trouble).toBe(pending);
  expect(filler.next([unseen, missing])).toEqual(missing as Past);
  // The deletion is done, and nobody answers.
  await settle(missing, () =>
    Promise.resolve({ mine: server, other: server, isOtherWhole: true, withheld: [] }),
  );
  expect(filler.trouble?.code).toBe("influxdb.unreachable");
  expect(filler.next([unseen])).toEqual(unseen as Past);
});

test("what is withheld altogether asks no server, is told, and is left for a while", async () => {
  now = 0;
  const filler = new Filler(clock, "/nonexistent/fill");
  const waiting: Past = { ...(missing as Past), bucket: "raw" };
  const server = { address: "127.0.0.1", port: 1, org: "chime" };
  const withheld = [{ bucket: "raw", from: 300_000, to: 400_000 }];
  expect(filler.next([waiting])).toEqual(waiting);
  const sides = { mine: server, other: server, isOtherWhole: true, withheld };
  expect(await filler.settle(waiting, () => Promise.resolve(sides), { timeoutMs: 1_000 })).toEqual({
    done: [],
    more: [],
    points: 0,
  });
  expect(filler.next([waiting])).toBeUndefined();
  expect(filler.trouble?.code).toBe("influxdb.delete_refused");
  now = 30_000;
  expect(filler.next([waiting])).toEqual(waiting);
});

/** Two that were set up, and their fillings. */
async function withTwo(
  work: (
    stands: [StandInServer, StandInServer],
    settle: (filler: Filler, outage: Outage) => ReturnType<Filler["settle"]>,
  ) => Promise<void>,
): Promise<void> {
  const [mine, other] = ["127.86.4.1", "127.86.4.2"].map((address) => ({
    address,
    port: 8086,
    org: "chime",
  })) as [Server, Server];
  const start = ({ address, port }: Server) => StandInServer.start(address, port);
  const stands: [StandInServer, StandInServer] = [start(mine), start(other)];
  const sides = { mine, other, isOtherWhole: true, withheld: [] };
  try {
    await work(stands, async (filler, outage) =>
      filler.settle(outage, () => Promise.resolve(sides), { timeoutMs: 5_000 }),
    );
  } finally {
    await Promise.all(stands.map((stand) => stand.stop()));
  }
}

const routine: Outage = { ...unseen, hint: "routine" };

test("what one of them keeps for a shorter time is compared over all times once both keep it alike: it drops what the other one has", () =>
  withTwo(async (stands, settle) => {
    const settled = (outage: Outage) => settle(new Filler(clock, "/nonexistent/fill"), outage);
    const everything: Outage = { from: 0, to: 1_000_000, sure: false, bucket: "raw" };
    for (const stand of stands) stand.rawSeconds = 7_200;
    expect(await settled(routine)).toEqual({ done: [routine], more: [], points: 0 });
    stands[0].rules.set("raw", { everySeconds: 3_600, shardGroupDurationSeconds: 3_600 });
    expect(await settled(routine)).toEqual({
      done: [routine],
      more: [{ ...routine, bucket: "raw" }, everything],
      points: 0,
    });
    await expect(settled(everything)).rejects.toMatchObject({ code: "influxdb.retention_differs" });
  }));

test("a measurement of a name that InfluxQL keeps for itself holds up its buckets alone, of which all else is compared, once", () =>
  withTwo(async ([mine], settle) => {
    now = 0;
    const filler = new Filler(clock, "/nonexistent/fill");
    mine.measurements.push("_series", "cpu");
    const alone = ["chime", "raw"].map((bucket) => ({ ...routine, bucket }));
    expect(await settle(filler, routine)).toEqual({ done: [routine], more: alone, points: 0 });
    const [chime] = alone;
    if (!chime) throw new Error("it has two buckets");
    const reads: number[] = [];
    for (let round = 0; round < 3; round++) {
      filler.next(alone);
      const before = mine.reads;
      await expect(settle(filler, chime)).rejects.toMatchObject({ code: "influxdb.unaskable" });
      expect(filler.trouble?.message).toContain("_series");
      expect(filler.trouble?.message).toContain("bucket chime");
      reads.push(mine.reads - before);
    }
    expect(reads).toEqual([expect.any(Number), 0, 0]);
    expect(reads[0]).toBeGreaterThan(0);
    mine.measurements.shift();
    expect(await settle(filler, chime)).toEqual({ done: [chime], more: [], points: 0 });
  }));
