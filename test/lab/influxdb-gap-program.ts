/** What influxdb-gap.test.ts runs in namespaces of its own: two real servers, and all that may lie between them. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/core/clock.ts";
import { exec } from "../../src/core/exec.ts";
import {
  createBucket,
  findBucket,
  listBuckets,
  setRetention,
  type Bucket,
} from "../../src/roles/influxdb/buckets.ts";
import { askWell, type Server } from "../../src/roles/influxdb/client.ts";
import { bothIncluded, deletePoints } from "../../src/roles/influxdb/delete.ts";
import { Deletions, type Withheld } from "../../src/roles/influxdb/gap/deleted.ts";
import { FillRecord } from "../../src/roles/influxdb/gap/record.ts";
import { compareTwins, repairTwins, type RepairOptions } from "../../src/roles/influxdb/gap/repair.ts";
import { Filler } from "../../src/roles/influxdb/guard/filler.ts";
import { levelBuckets } from "../../src/roles/influxdb/guard/level-buckets.ts";
import { merged, oldBefore, type Outage, type Past } from "../../src/roles/influxdb/outages.ts";
import { Record } from "../../src/roles/influxdb/record.ts";
import { isUp } from "../../src/roles/influxdb/setup.ts";
import { findGaps } from "../../src/roles/influxdb/gap/windows.ts";
import { allTime, type Range } from "../../src/roles/influxdb/gap/time.ts";
import { writeLines } from "../../src/roles/influxdb/write.ts";
import { random } from "../plan/random.ts";
import { Model, type Point } from "../roles/influxdb/gap/model.ts";
import {
  floats,
  integers,
  nastyKey,
  nastyMeasurement,
  nastyName,
  nastyText,
  unsigneds,
} from "../roles/influxdb/gap/nasty.ts";
import { startInfluxd, type InfluxServer } from "./influxdb-server.ts";
import { addresses } from "./namespaces.ts";

const { INFLUXD: binary = "", DIRECTORY: directory = "", CHIME_LONG: long } = process.env;
const limits = { timeoutMs: 20_000 };
/** A Monday, where a shard begins. */
const monday = Date.parse("2026-11-16T00:00:00Z");
const weekMs = 604_800_000;

let one: InfluxServer;
let two: InfluxServer;
beforeAll(async () => {
  [one, two] = await Promise.all([
    startInfluxd(binary, { directory: join(directory, "one"), address: addresses[0] }),
    startInfluxd(binary, { directory: join(directory, "two"), address: addresses[1] }),
  ]);
}, 60_000);
afterAll(() => {
  for (const { process } of [one, two]) process.signal("SIGKILL");
});

const recordPath = join(directory, "filled.json");
let bucket = "";
let nth = 0;
beforeEach(async () => {
  await rm(recordPath, { force: true });
  bucket = `test${++nth}`;
  await Promise.all([one, two].map(({ server }) => makeBucket(server, bucket)));
});

async function makeBucket(server: Server, name: string, retentionSeconds = 0): Promise<Bucket> {
  const { orgId } = await findBucket(server, "chime", limits);
  return createBucket(server, { orgId, name, retentionSeconds }, limits);
}

async function others(): Promise<string[]> {
  return (await listBuckets(one.server, limits)).map(({ name }) => name).filter((name) => name !== bucket);
}

async function options(more: Partial<RepairOptions> = {}): Promise<RepairOptions> {
  return {
    limits,
    clock: systemClock,
    ignored: await others(),
    contents: false,
    isGentle: false,
    authority: undefined,
    record: await FillRecord.load(recordPath),
    ...more,
  };
}

async function gaps(range: Range = allTime) {
  const now = Date.now();
  return Array.fromAsync(findGaps(one.server, two.server, range, { limits, now, ignored: await others() }));
}

async function repair(more: Partial<RepairOptions> = {}, range: Range = allTime) {
  return repairTwins(one.server, two.server, range, await options(more));
}

async function write(at: InfluxServer, points: readonly Point[]): Promise<void> {
  for (let first = 0; first < points.length; first += 5_000) {
    const body = Model.lines(points.slice(first, first + 5_000));
    await writeLines(at.server, { bucket, body }, limits);
  }
}

/** What a server answers of the bucket, by itself. */
async function held(at: InfluxServer): Promise<string> {
  return (await Model.read(at.server, await findBucket(at.server, bucket, limits), limits)).toString();
}

async function expectBoth(points: readonly Point[]): Promise<void> {
  const wanted = new Model(points).toString();
  expect(await held(one)).toBe(wanted);
  expect(await held(two)).toBe(wanted);
}

/** So many seconds of ten series with a point a second each. */
function steady(from: number, seconds: number, measurement = "cpu"): Point[] {
  return Array.from({ length: seconds * 10 }, (_, i) => ({
    measurement,
    tags: { host: `h${i % 10}` },
    time: BigInt(from + Math.floor(i / 10) * 1000) * 1_000_000n,
    fields: { f: { type: "float", value: i / 7 }, n: { type: "integer", value: BigInt(i) } },
  }));
}

// The first of these: it compares all buckets that there are.
test("what came late while one of them was away is found after that, whatever its time, and filled", async () => {
  const now = Date.now();
  const outage: Outage = { from: now - 700_000, to: now - 600_000, sure: true };
  const during = steady(outage.from + 10_000, 20);
  // In the middle of what is compared at once: no end of that lies in it, however slow the machine is.
  const buffered = steady(now - 60 * 3_600_000, 30, "gateway");
  const at = (ms: number): Point => ({ ...buffered[0]!, time: BigInt(ms) * 1_000_000n });
  // Of clients whose clocks are apart, years apart, and before there were any.
  const late = [at(now - 400_000), at(now + 300 * 86_400_000), at(now - 3 * 52 * weekMs), at(-1)];
  await write(one, [...during, ...buffered, ...late]);
  await write(two, [steady(now - 500_000, 1)[0]!]);
  const record = await Record.load(join(directory, "gap.json"));
  await record.add(outage);
  // Nobody is left room by this one.
  const filler = new Filler({ ...systemClock, sleep: () => Promise.resolve() }, recordPath);
  const sides = { mine: two.server, other: one.server, isOtherWhole: true, withheld: [] };
  const step = async () => {
    const next = filler.next(record.outages);
    if (!next) throw new Error(`nothing is due of ${JSON.stringify(record.outages)}`);
    const settled = await filler.settle(next, () => Promise.resolve(sides), limits);
    if (settled) await record.filled(settled.done, settled.more);
    return next;
  };
  expect(await step()).toEqual(outage as Past);
  expect(await held(two)).not.toContain("gateway");
  expect(oldBefore(record.outages)).toBe(allTime.to);
  const steps: Outage[] = [];
  while (record.outages.length > 0) steps.push(await step());
  await expectBoth([...during, ...buffered, ...late, steady(now - 500_000, 1)[0]!]);
  // What it found made the node incomplete, each time, and was filled as such; the newest came first.
  const found = steps.filter(({ sure }) => sure).map(({ from }) => from);
  expect(found).toHaveLength(5);
  expect(found).toEqual(found.toSorted((a, b) => b - a));
  expect((await Record.load(join(directory, "gap.json"))).outages).toEqual([]);
}, 120_000);

test("gaps of both are found to the second, among measurements that have none, and filled", async () => {
  const all = steady(monday, 600);
  const lacks = (from: number, to: number) => (point: Point) => {
    const second = Number(point.time / 1_000_000_000n) - monday / 1000;
    return second < from || second >= to;
  };
  await write(one, [...all.filter(lacks(70, 180)), ...steady(monday, 600, "mem")]);
  await write(two, [...all.filter(lacks(400, 403)), ...steady(monday, 600, "mem")]);
  const at = (second: number) => monday + second * 1000;
  const wanted = [
    { bucket, measurement: "cpu", from: at(70), to: at(180), missing: { mine: 2200, other: 0 } },
    { bucket, measurement: "cpu", from: at(400), to: at(403), missing: { mine: 0, other: 60 } },
  ];
  expect(await gaps({ from: at(0), to: at(600) })).toEqual(wanted);
  expect(await gaps()).toEqual(wanted);
  expect(await gaps({ from: at(100), to: at(150) })).toEqual([
    { ...wanted[0]!, from: at(100), to: at(150), missing: { mine: 1000, other: 0 } },
  ]);
  const { found, filled, left } = await repair();
  expect(found).toEqual(wanted);
  expect(left).toEqual([]);
  expect(filled).toMatchObject({
    written: { mine: 1100, other: 30 },
    refused: { mine: 0, other: 0 },
    conflicts: 0,
  });
  await expectBoth([...all, ...steady(monday, 600, "mem")]);
  expect(await gaps()).toEqual([]);
});

test("each lacks as much as the other one, in the same hour", async () => {
  const all = steady(monday, 600);
  const lacks = (second: number) => (point: Point) => {
    const from = monday + second * 1000;
    const ms = Number(point.time / 1_000_000n);
    return ms < from || ms >= from + 60_000;
  };
  await write(one, all.filter(lacks(60)));
  await write(two, all.filter(lacks(300)));
  expect(await gaps()).toHaveLength(2);
  expect((await repair()).left).toEqual([]);
  await expectBoth(all);
});

/** Points of every type, with whatever a name or text may hold; a field keeps its type in a week. */
function nasty(seed: number, count: number): Point[] {
  const roll = random(seed);
  const measurements = [
    "select",
    "from",
    "time",
    "m/.*/",
    'q"uote',
    ...Array.from({ length: 6 }, () => nastyMeasurement(roll)),
  ];
  const keys = ["where", "f", ...Array.from({ length: 4 }, () => nastyKey(roll))];
  const types = ["float", "integer", "unsigned", "string", "boolean"] as const;
  const values = { float: floats, integer: integers, unsigned: unsigneds, boolean: [true, false] } as const;
  return Array.from({ length: count }, () => {
    const measurement = measurements[roll(measurements.length)] ?? "";
    const week = roll(3);
    const tags: Point["tags"] = {};
    for (let left = roll(4); left > 0; left--) tags[keys[roll(keys.length)] ?? ""] = nastyName(roll, 4);
    const fields: Point["fields"] = {};
    for (let left = 1 + roll(4); left > 0; left--) {
      const at = roll(keys.length);
      const type = types[(at + measurement.length + week) % types.length] ?? "float";
      const value = type === "string" ? nastyText(roll) : values[type][roll(values[type].length)];
      fields[keys[at] ?? ""] = { type, value: value ?? 0 };
    }
    const time = BigInt(monday + week * weekMs + roll(3_000)) * 1_000_000n + BigInt(roll(3));
    return { measurement, tags, time, fields };
  });
}

test("every type, and whatever names and texts hold, with another type a week: both have what either had, to the last bit", async () => {
  for (const seed of long ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2]) {
    const points = new Model(nasty(seed, 3_000)).points();
    const roll = random(seed);
    const side = points.map(() => roll(3));
    await write(
      one,
      points.filter((_, i) => side[i] !== 1),
    );
    await write(
      two,
      points.filter((_, i) => side[i] !== 2),
    );
    // Both lack as many of a field here and there, which counts do not see.
    const { left, filled } = await repair({ contents: true });
    expect(filled).toMatchObject({ refused: { mine: 0, other: 0 }, conflicts: 0 });
    expect(left).toEqual([]);
    await expectBoth(points);
    bucket = `test${++nth}`;
    await Promise.all([one, two].map(({ server }) => makeBucket(server, bucket)));
  }
}, 120_000);

test("points at both ends of time, before 1970, and in the future", async () => {
  const times = [
    -9_223_372_036_854_775_806n,
    -1n,
    0n,
    4_102_444_800_000_000_001n,
    9_223_372_036_854_775_806n,
  ];
  const point = (time: bigint): Point => ({
    measurement: "m",
    tags: {},
    time,
    fields: { f: { type: "integer", value: time } },
  });
  await write(one, times.filter((_, i) => i % 2 === 0).map(point));
  await write(two, times.filter((_, i) => i % 2 === 1).map(point));
  expect((await repair()).left).toEqual([]);
  await expectBoth(times.map(point));
});

test("the same point with another value is found by its hash, and the one that counts is the authority's", async () => {
  const points = steady(monday, 60);
  await write(one, points);
  await write(two, points);
  const changed: Point = { ...points[77]!, fields: { n: { type: "integer", value: -1n } } };
  await write(two, [changed]);
  const range = { from: monday, to: monday + 60_000 };
  expect(await gaps(range)).toEqual([]);
  const found = await compareTwins(one.server, two.server, range, await options({ contents: true }));
  expect(found.gaps).toMatchObject([{ measurement: "cpu", missing: { mine: 0, other: 0 } }]);
  expect((await repair({ contents: true }, range)).left).toHaveLength(1);
  expect((await repair({ contents: true, authority: "other" }, range)).left).toEqual([]);
  await expectBoth(new Model([...points, changed]).points());
});

test("a type that the other one refuses stays a gap, with the server's reason, and all else is filled", async () => {
  const point = (field: string, type: "float" | "integer"): Point => ({
    measurement: "m",
    tags: {},
    time: BigInt(monday) * 1_000_000n,
    fields: { [field]: { type, value: type === "float" ? 1 : 1n } },
  });
  await write(one, [point("f", "float"), { ...point("f", "float"), time: BigInt(monday + 1) * 1_000_000n }]);
  await write(two, [point("f", "integer"), point("good", "integer")]);
  const { left, filled } = await repair();
  expect(left).toHaveLength(1);
  expect(filled.refused.other).toBeGreaterThan(0);
  expect(filled.why).toContain("field type conflict");
  expect(await held(one)).toContain("good");
  // What cannot be filled is found by the agent once, and is then left for a while: not found for ever.
  const filler = new Filler(systemClock, recordPath);
  const sides = { mine: two.server, other: one.server, isOtherWhole: true, withheld: [] };
  let outages: Outage[] = [
    { from: monday - 1_000, to: monday + 1_000, sure: false, hint: "routine", bucket },
  ];
  const steps: boolean[] = [];
  for (let next = filler.next(outages); next && steps.length < 9; next = filler.next(outages)) {
    steps.push(next.sure);
    const settled = await filler.settle(next, () => Promise.resolve(sides), limits).catch(() => undefined);
    outages = merged([...outages, ...(settled?.more ?? [])]);
  }
  expect(steps).toEqual([false, true, false]);
  expect(outages).toHaveLength(2);
});

test("what Flux has stored and no line can say stays a gap of its bucket, with the reason; all else is filled, and nothing that nobody wrote", async () => {
  const query = `import "array"
    array.from(rows: [
      {_time: 2026-11-16T00:00:00Z, _measurement: "\\nm", _field: "f", _value: 1.0, t: "x"},
      {_time: 2026-11-16T00:00:00Z, _measurement: "#m", _field: "f", _value: 1.0, t: "x"},
      {_time: 2026-11-16T00:00:00Z, _measurement: "tags", _field: "f", _value: 1.0, t: "a\\nb f=1 1"},
      {_time: 2026-11-16T00:00:00Z, _measurement: "tags", _field: "f", _value: 1.0, t: "a\\\\"},
      {_time: 2026-11-16T00:00:00Z, _measurement: "tags", _field: "f", _value: 1.0, t: "good"},
      {_time: 2026-11-16T00:00:00Z, _measurement: "tags", _field: "a\\nb", _value: 1.0, t: "good"},
      {_time: 2026-11-16T00:00:01Z, _measurement: "tags", _field: "f", _value: 1.0, t: "good"},
      {_time: 2026-11-16T00:00:01Z, _measurement: "good", _field: "f", _value: 1.0, t: "x"},
    ]) |> to(bucket: "${bucket}")`;
  const path = "/api/v2/query";
  const headers = { "content-type": "application/vnd.flux" };
  const asked = { method: "POST", path, query: { org: "chime" }, headers, body: query } as const;
  await askWell(one.server, asked, limits);
  const { left, filled } = await repair();
  expect(new Set(left.map(({ measurement }) => measurement))).toEqual(new Set(["\nm", "#m", "tags"]));
  expect(filled).toMatchObject({ why: expect.stringContaining("line protocol") });
  const good = (measurement: string, tag: string): Point => ({
    measurement,
    tags: { t: tag },
    time: BigInt(monday + 1_000) * 1_000_000n,
    fields: { f: { type: "float", value: 1 } },
  });
  expect(await held(two)).toBe(new Model([good("tags", "good"), good("good", "x")]).toString());
  for (const { server } of [one, two]) {
    const range = bothIncluded({ from: monday, to: monday + 60_000 });
    await deletePoints(server, { bucket, ...range, predicate: "" }, limits);
  }
});

test("measurements that cannot be asked for by their names are told and left out, and all others are filled, also such as look alike", async () => {
  const point = (measurement: string, key = "k", field = "f"): Point => ({
    measurement,
    tags: { [key]: "v" },
    time: BigInt(monday) * 1_000_000n,
    fields: { [field]: { type: "float", value: 1 } },
  });
  const names = ["_series", "_name", "_tags", "_tagKey", "_tagKeys", "_fieldKeys", "_measurements"];
  const fields = ["_name", "_fieldKey", "_tagKey", "_tagValue", "_seriesKey"];
  const alike = ["_", "_x", "_field", "_fieldKey", "_tagValue", "_seriesKey", "_measurement"];
  const more = ["_SERIES", "_internal", "_fields", "time", "name"];
  const good = [
    ...[...alike, ...more].map((name) => point(name)),
    ...names.map((name, nth) => point(`tag${nth}`, name)),
    ...[...names.filter((name) => !fields.includes(name)), "_field", "_value", "_time"].map((name, nth) =>
      point(`field${nth}`, "k", name),
    ),
    point("field", "k", "a\rb"),
    point("tag", "k\r", "f"),
  ];
  const bad = [
    ...names.map((name) => point(name)),
    ...fields.map((name, nth) => point(`bad${nth}`, "k", name)),
    point("bad\r"),
    point("b\0ad"),
    ...[1n, 1.5].map((value, nth): Point => {
      const type = nth === 0 ? "integer" : "float";
      const time = BigInt(monday + nth * weekMs) * 1_000_000n;
      return { ...point("mixed"), time, fields: { "a\rb": { type, value } } };
    }),
  ];
  await write(one, [...good, ...bad]);
  const told = {
    bucket,
    why: { code: "influxdb.unaskable", message: expect.stringMatching(/and 14 more/) },
  };
  const { left, held, filled } = await repair({ contents: true });
  expect({ left, held }).toMatchObject({ left: [], held: [told] });
  expect(filled.written).toEqual({ mine: 0, other: good.length });
  await expectBoth(good);
  await expect(gaps()).rejects.toMatchObject({ code: "influxdb.unaskable" });
  const range = bothIncluded({ from: monday, to: monday + 2 * weekMs });
  for (const { measurement } of bad.filter((one) => !/[\r\0]/.test(one.measurement))) {
    const predicate = `_measurement="${measurement}"`;
    await deletePoints(one.server, { bucket, ...range, predicate }, limits);
  }
  const [rest] = (await repair()).held;
  expect(rest?.why.message).toContain("measurement b ad and 1 more of");
  await deletePoints(one.server, { bucket, ...range, predicate: "" }, limits);
  expect((await repair()).held).toEqual([]);
});

test("what was deleted is not brought back, and what was written there afterwards is", async () => {
  const nearly: Point = { ...steady(monday, 1)[3]!, time: BigInt(monday + 20_000) * 1_000_000n - 1n };
  const points = [...steady(monday, 60), nearly];
  await write(one, points);
  await write(two, points);
  const path = join(directory, "deletions.json");
  const deletions = await Deletions.load(path);
  const range = bothIncluded({ from: monday + 10_000, to: monday + 20_000 });
  await deletions.add({ bucket, ...range, predicate: '_measurement="cpu" AND host="h3"' }, Date.now(), [
    "node1",
    "node2",
  ]);
  const apply = async (known: Deletions, node: string, server: Server) => {
    const due = known.dueOn(node, ["node1", "node2"]);
    for (const one of due) await known.applyOn(node, server, one, limits, Date.now());
    return due.length;
  };
  expect(await apply(deletions, "node1", one.server)).toBe(1);
  const later: Point = { ...points[153]!, fields: { f: { type: "float", value: 42 } } };
  await write(one, [later]);
  // The other one comes back, or only its agent does.
  const again = await Deletions.load(path);
  expect(again.pendingOn("node1")).toEqual([]);
  expect(await apply(again, "node2", two.server)).toBe(1);
  expect((await repair()).left).toEqual([]);
  const kept = points.filter(({ tags, time }) => {
    const ms = Number(time / 1_000_000n) - monday;
    return tags["host"] !== "h3" || ms < 10_000 || ms > 19_999;
  });
  await expectBoth(new Model([...kept, later]).points());
  expect(await apply(again, "node2", two.server)).toBe(0);
});

test("what one of them refuses to delete is not brought back, while all else of its bucket is filled, and nothing is withheld once it is deleted", async () => {
  const points = steady(monday, 60);
  const [from, to] = [monday + 10_000, monday + 20_000];
  const isIn = (start: number, end: number) => (point: Point) => {
    const ms = Number(point.time / 1_000_000n);
    return ms >= start && ms < end;
  };
  const kept = points.filter((point) => !isIn(from, to)(point));
  await write(one, kept);
  await write(
    two,
    points.filter((point) => !isIn(monday, monday + 5_000)(point)),
  );
  const withheld = [{ bucket, from, to }];
  const record = await Record.load(join(directory, "withheld.json"));
  await record.add({ from: monday, to: monday + 60_000, sure: true, bucket });
  const settle = async (withheld: readonly Withheld[]) => {
    const filler = new Filler({ ...systemClock, sleep: () => Promise.resolve() }, recordPath);
    const sides = { mine: one.server, other: two.server, isOtherWhole: true, withheld };
    let steps = 0;
    for (let next = filler.next(record.outages); next && steps < 9; next = filler.next(record.outages)) {
      const settled = await filler.settle(next, () => Promise.resolve(sides), limits);
      await record.filled(settled?.done ?? [], settled?.more);
      steps++;
    }
    expect(steps).toBeLessThan(4);
    return filler.trouble?.code;
  };
  expect(await settle(withheld)).toBe("influxdb.delete_refused");
  expect(record.outages).toEqual([{ from, to, sure: true, bucket }]);
  expect(await settle(withheld)).toBe("influxdb.delete_refused");
  expect((await repair({ withheld, contents: true })).left).toEqual([]);
  expect(await held(one)).toBe(new Model(kept).toString());
  expect(await held(two)).toBe(new Model(points).toString());

  await deletePoints(two.server, { bucket, ...bothIncluded({ from, to }), predicate: "" }, limits);
  expect(await settle([])).toBeUndefined();
  expect(record.outages).toEqual([]);
  await expectBoth(kept);
});

test("a filling that is killed at any request goes on, and is complete at the end", async () => {
  const points = steady(monday, 900);
  await write(one, points);
  const real = globalThis.fetch;
  let runs = 0;
  try {
    for (let allowed = 1; ; allowed += 1 + Math.floor(allowed / 6)) {
      let left = allowed;
      globalThis.fetch = Object.assign(
        async (...asked: Parameters<typeof fetch>) => {
          if (left-- <= 0) throw new Error("killed");
          return real(...asked);
        },
        { preconnect: real.preconnect },
      );
      runs++;
      const done = await repair().catch((error: unknown) => {
        expect(error).toMatchObject({ code: "influxdb.unreachable" });
        return undefined;
      });
      if (done) {
        expect(done.left).toEqual([]);
        break;
      }
    }
  } finally {
    globalThis.fetch = real;
  }
  expect(runs).toBeGreaterThan(5);
  await expectBoth(points);
}, 60_000);

test("a server that dies under a filling: it is an error, and the next one completes it", async () => {
  const points = steady(monday, 3_000);
  await write(one, points);
  const running = repair({
    filling: () => two.process.signal("SIGKILL"),
  });
  await expect(running).rejects.toMatchObject({ code: expect.stringMatching(/^influxdb\./) });
  await two.process.exited;
  two = await startInfluxd(binary, { directory: two.directory, address: two.server.address });
  expect((await repair()).left).toEqual([]);
  await expectBoth(points);
}, 60_000);

test("what has to be levelled first is said: a bucket, its retention, the token", async () => {
  const range = { from: monday, to: monday + 1000 };
  const compare = async (mine: Server = one.server) =>
    compareTwins(mine, two.server, range, await options()).catch((error: unknown) => error);
  const holding = async () => {
    const { held } = await compareTwins(one.server, two.server, range, await options());
    return held.map(({ bucket: name, why: { code, exit } }) => ({ name, code, exit }));
  };
  expect(await compare({ ...one.server, token: "another" })).toMatchObject({ code: "influxdb.denied" });
  const { id } = await findBucket(one.server, bucket, limits);
  await setRetention(one.server, id, { retentionSeconds: 7200, shardSeconds: 3600 }, limits);
  expect(await holding()).toEqual([{ name: bucket, code: "influxdb.retention_differs", exit: 3 }]);
  await askWell(one.server, { method: "DELETE", path: `/api/v2/buckets/${id}` }, limits);
  expect(await holding()).toEqual([{ name: bucket, code: "influxdb.bucket_missing", exit: 3 }]);
  await makeBucket(one.server, bucket);
});

test("a bucket that is kept longer by one of them holds up that one alone, until it is not", async () => {
  const longer = "kept-longer";
  const { id } = await makeBucket(one.server, longer, 7_200);
  const other = await makeBucket(two.server, longer, 3_600);
  const now = Date.now();
  const points = steady(now - 600_000, 20);
  await write(one, points);
  const body = Model.lines(points);
  await writeLines(one.server, { bucket: longer, body }, limits);
  const filler = new Filler(systemClock, recordPath);
  const sides = { mine: two.server, other: one.server, isOtherWhole: true, withheld: [] };
  const settle = (outage: Outage) => filler.settle(outage, () => Promise.resolve(sides), limits);
  const outage: Outage = { from: now - 600_000, to: now - 500_000, sure: true };
  const settled = await settle(outage);
  expect(settled?.done).toEqual([outage]);
  expect(settled?.points).toBe(points.length);
  // Points have two values each: as many were filled as were found missing.
  expect(filler.done).toBe(1);
  expect(settled?.more[0]).toEqual({ ...outage, bucket: longer });
  await expectBoth(points);
  const alone: Outage = { ...outage, bucket: longer };
  filler.next([alone]);
  await expect(settle(alone)).rejects.toMatchObject({ code: "influxdb.retention_differs" });
  expect(filler.trouble?.message).toContain(longer);
  expect(filler.trouble?.remedy).toContain(longer);
  await setRetention(two.server, other.id, { retentionSeconds: 7_200, shardSeconds: 3600 }, limits);
  expect(await settle(alone)).toEqual({ done: [alone], more: [], points: points.length });
  expect(filler.trouble).toBeUndefined();
  for (const [{ server }, bucketId] of [
    [one, id],
    [two, other.id],
  ] as const) {
    await askWell(server, { method: "DELETE", path: `/api/v2/buckets/${bucketId}` }, limits);
  }
});

test("a bucket that a server lacks is made as the other one has it, noted first, and filled", async () => {
  const lost = "lost";
  const made = await makeBucket(one.server, lost, 7_200);
  const now = Date.now();
  const points = steady(now - 600_000, 20);
  await writeLines(one.server, { bucket: lost, body: Model.lines(points) }, limits);
  const filler = new Filler(systemClock, recordPath);
  const sides = { mine: two.server, other: one.server, isOtherWhole: true, withheld: [] };
  const outage: Outage = { from: now - 600_000, to: now - 500_000, sure: true };
  const noted: string[] = [];
  const isThere = async () => (await listBuckets(two.server, limits)).some(({ name }) => name === lost);
  await levelBuckets(two.server, one.server, limits, async (name) => {
    expect(await isThere()).toBe(false);
    noted.push(name);
  });
  expect(noted).toEqual([lost]);
  expect(await filler.settle(outage, () => Promise.resolve(sides), limits)).toMatchObject({
    done: [outage],
    points: points.length,
  });
  const found = await findBucket(two.server, lost, limits);
  expect(found).toMatchObject({ name: lost, retentionSeconds: 7_200, shardSeconds: made.shardSeconds });
  expect((await Model.read(two.server, found, limits)).toString()).toBe(new Model(points).toString());
  for (const [{ server }, { id }] of [
    [one, made],
    [two, found],
  ] as const)
    await askWell(server, { method: "DELETE", path: `/api/v2/buckets/${id}` }, limits);
});

test("what retention is about to end is not asked for: it would be refused", async () => {
  await askBucketGone();
  await Promise.all([one, two].map(({ server }) => makeBucket(server, bucket, 3600)));
  const now = Date.now();
  const young = steady(now - 60_000, 20);
  await write(one, [...young, ...steady(now - 3_590_000, 20)]);
  expect((await repair()).left).toEqual([]);
  expect((await repair()).filled).toMatchObject({ refused: { mine: 0, other: 0 } });
  expect(await held(two)).toBe(new Model(young).toString());
});

async function askBucketGone(): Promise<void> {
  for (const { server } of [one, two]) {
    const { id } = await findBucket(server, bucket, limits);
    await askWell(server, { method: "DELETE", path: `/api/v2/buckets/${id}` }, limits);
  }
}

test("a disk that is full ends a filling with that reason; with space again and a restart it is completed", async () => {
  const points = steady(monday, 2_000);
  await write(one, points);
  const ballast = join(two.directory, "ballast");
  const { bavail, bsize } = await (await import("node:fs/promises")).statfs(two.directory);
  await writeFile(ballast, Buffer.alloc(bavail * bsize - 4096));
  await expect(repair()).rejects.toMatchObject({ code: "influxdb.full" });
  await rm(ballast);
  two.process.signal("SIGKILL");
  await two.process.exited;
  two = await startInfluxd(binary, { directory: two.directory, address: two.server.address });
  expect((await repair()).left).toEqual([]);
  await expectBoth(points);
}, 60_000);

test("an engine that is read-only ends a filling with that reason; writable again, and restarted, it is completed", async () => {
  const points = steady(monday, 200);
  await write(one, points);
  // A shard that cannot be opened is not tried again.
  await write(two, points.slice(0, 100));
  const engine = join(two.directory, "engine");
  const restart = async () => {
    two.process.signal("SIGKILL");
    await two.process.exited;
    two = await startInfluxd(binary, { directory: two.directory, address: two.server.address });
  };
  await exec(["mount", "--bind", engine, engine]);
  try {
    two.process.signal("SIGKILL");
    await two.process.exited;
    await exec(["mount", "-o", "remount,bind,ro", engine]);
    await restart();
    // Its health pages say that all is well, and it answers queries, with nothing.
    expect(await isUp(two.server, limits)).toBe(true);
    expect(await held(two)).toBe(new Model([]).toString());
    const refused = async () =>
      expect(write(two, points.slice(0, 1))).rejects.toMatchObject({ code: "influxdb.read_only" });
    await refused();
    await expect(repair()).rejects.toMatchObject({ code: "influxdb.read_only" });
    await exec(["mount", "-o", "remount,bind,rw", engine]);
    // It goes on refusing until it is restarted.
    await refused();
    await restart();
    expect((await repair()).left).toEqual([]);
    await expectBoth(points);
  } finally {
    await exec(["umount", "--lazy", engine]);
  }
}, 60_000);

test.skipIf(!long)(
  "a hundred thousand series at one moment",
  async () => {
    const points = Array.from({ length: 100_000 }, (_, i): Point => ({
      measurement: "m",
      tags: { series: `s${i}` },
      time: BigInt(monday) * 1_000_000n,
      fields: { f: { type: "float", value: i } },
    }));
    await write(one, points);
    expect((await repair()).left).toEqual([]);
    await expectBoth(points);
  },
  240_000,
);
