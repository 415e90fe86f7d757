import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../../../src/core/clock.ts";
import { Pace, type Care } from "../../../../src/roles/influxdb/gap/pace.ts";
import { listMeasurements } from "../../../../src/roles/influxdb/gap/schema.ts";
import type { Pair, Side } from "../../../../src/roles/influxdb/gap/sides.ts";
import { allTime, type Range } from "../../../../src/roles/influxdb/gap/time.ts";
import { gapsOf } from "../../../../src/roles/influxdb/gap/windows.ts";

const minuteMs = 60_000;
const hourMs = 3_600_000;
/** A Thursday, where a week of the server's windows begins. */
const start = Date.parse("2026-11-19T00:00:00Z");

const servers: Bun.Server<undefined>[] = [];
const asked: Range[] = [];
let pingStatus = 204;
/** However little there is, ms. */
let eachTakes = 0;
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
  asked.length = 0;
  pingStatus = 204;
  eachTakes = 0;
});

/** Stands in for a server that has a point of one measurement at each of these times, ms; more than `most` it does not count in time. */
function serve(times: readonly number[], most = Infinity): Side {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      if (request.url.endsWith("/ping")) return new Response(null, { status: pingStatus });
      const statement = new URLSearchParams(await request.text()).get("q") ?? "";
      if (counted(statement, times) > most) await Bun.sleep(60_000);
      if (eachTakes > 0) await Bun.sleep(eachTakes);
      return Response.json({
        results: [{ series: statement.startsWith("SHOW") ? fields : counts(statement, times) }],
      });
    },
  });
  servers.push(server);
  return {
    server: { address: "127.0.0.1", port: server.port ?? 0, org: "chime" },
    bucket: { id: "1", orgId: "1", name: "chime", retentionSeconds: 0, shardSeconds: 604_800 },
    database: { db: "chime", rp: "autogen" },
  };
}

const fields = [{ name: "m", columns: ["fieldKey", "fieldType"], values: [["f", "float"]] }];

/** Points that a statement is about. */
function counted(statement: string, times: readonly number[]): number {
  const [, from, to] = /time >= (-?\d+) AND time <= (-?\d+)/.exec(statement) ?? [];
  if (from === undefined) return 0;
  const range = { from: wholeMs(from), to: wholeMs(to) };
  return times.filter((time) => time >= range.from && time <= range.to).length;
}

function counts(statement: string, times: readonly number[]) {
  const [, from, to, step] =
    /time >= (-?\d+) AND time <= (-?\d+)(?: GROUP BY time\((\d+)ms\))?/.exec(statement) ?? [];
  const range = { from: wholeMs(from), to: wholeMs(to) };
  asked.push(range);
  const found = new Map<number, number>();
  for (const time of times) {
    if (time < range.from || time > range.to) continue;
    const window = step === undefined ? 0 : Math.floor(time / Number(step)) * Number(step);
    found.set(window, (found.get(window) ?? 0) + 1);
  }
  return found.size === 0
    ? []
    : [{ name: "m", columns: ["time", "count_f"], values: [...found].sort(([a], [b]) => a - b) }];
}

async function found(
  mine: readonly number[],
  other: readonly number[],
  range: Range = allTime,
  care: Partial<Care> = {},
  most = Infinity,
) {
  const pair: Pair = { name: "chime", mine: serve(mine, most), other: serve(other, most) };
  const limits = { timeoutMs: 5_000, ...care };
  const { measurements } = await listMeasurements(pair, limits);
  const gaps = await Array.fromAsync(gapsOf(pair, measurements, range, { limits, now: Date.now() }));
  return gaps.map(({ from, to, missing }) => [(from - start) / 1000, (to - start) / 1000, missing]);
}

/** As far as it goes: a float of so many ns would be rounded up to the next ms. */
function wholeMs(ns = "0"): number {
  return Number(BigInt(ns) / 1_000_000n);
}

/** A point each second of so many hours, but for some. */
function seconds(hours: number, isThere: (second: number) => boolean = () => true): number[] {
  return Array.from({ length: hours * 3600 }, (_, i) => i)
    .filter(isThere)
    .map((second) => start + second * 1000);
}

const but = (from: number, to: number) => (second: number) => second < from || second >= to;

test("a gap is found to the second, however long the range", async () => {
  const wanted = [[7_000, 7_110, { mine: 0, other: 110 }]];
  for (const range of [
    allTime,
    { from: start, to: start + 3 * hourMs },
    { from: start + hourMs, to: start + 60 * hourMs },
  ]) {
    expect(await found(seconds(3), seconds(3, but(7_000, 7_110)), range)).toEqual(wanted);
  }
});

test("each lacks as much as the other one, in the same hour, and in ranges of any length", async () => {
  const mine = seconds(2, but(100, 160));
  const other = seconds(2, but(1_000, 1_060));
  for (const range of [allTime, { from: start, to: start + 2 * hourMs }]) {
    expect(await found(mine, other, range)).toEqual([
      [100, 160, { mine: 60, other: 0 }],
      [1_000, 1_060, { mine: 0, other: 60 }],
    ]);
  }
});

test("one that has nothing lacks all of it, as one gap", async () => {
  expect(await found([], seconds(30))).toEqual([[0, 30 * 3600, { mine: 30 * 3600, other: 0 }]]);
});

test("what differs in two weeks that are far apart is looked for there alone", async () => {
  const far = start + 1_000 * 168 * hourMs;
  expect(await found([start, far], [start])).toEqual([
    [(far - start) / 1000, (far + minuteMs - start) / 1000, { mine: 0, other: 1 }],
  ]);
  expect(asked.length).toBeLessThan(60);
});

test("twins that have the same have no gaps, and neither have those that have nothing", async () => {
  expect(await found(seconds(1), seconds(1))).toEqual([]);
  expect(await found([], [])).toEqual([]);
});

/** As on a busy machine, where each answer takes longer than a piece of work should: no piece ever grows. */
const slow = {
  size: () => 600_000,
  turn: (_kind: unknown, _size: unknown, work: () => Promise<unknown>) => work(),
} as unknown as Pace;

test("slow servers are asked of all times in which there is nothing in some hundred pieces", async () => {
  const far = start - 5 * 8_766 * hourMs;
  const wanted = [
    [(far - start) / 1000, (far + minuteMs - start) / 1000, { mine: 0, other: 1 }],
    [10, 20, { mine: 0, other: 10 }],
  ];
  expect(await found([far, ...seconds(1)], seconds(1, but(10, 20)), allTime, { pace: slow })).toEqual(wanted);
  expect(asked.length).toBeLessThan(1_000);
});

test("a server that takes longer than what is tried for any count at all is asked of empty times in longer and longer parts, too", async () => {
  eachTakes = 300;
  const last = start + 39 * hourMs;
  const range = { from: start, to: start + 40 * hourMs };
  expect(await found([last], [], range, { pace: slow })).toHaveLength(1);
  expect(asked.length).toBeLessThan(100);
});

/** As where each answer comes at once: pieces grow as far as they may. */
async function quick() {
  const pace = new Pace(systemClock);
  pace.unfelt();
  for (let nth = 0; nth < 40; nth++) await pace.turn("counting", 1e13, () => Promise.resolve(), undefined);
  return pace;
}

test.each([
  ["at once", undefined],
  ["beside clients", quick],
] as const)(
  "what a server cannot count in time is counted in parts, also within a week, %s",
  async (_, paced) => {
    const [mine, other] = [seconds(48), seconds(48, but(7_000, 7_110))];
    const care = { timeoutMs: 300, ...(paced && { pace: await paced() }) };
    const wanted = [[7_000, 7_110, { mine: 0, other: 110 }]];
    expect(await found(mine, other, allTime, care, 50_000)).toEqual(wanted);
  },
);

test("what is there no longer is given up at once, and so is what cannot even count a minute", async () => {
  const all = { from: start, to: start + hourMs };
  await expect(found(seconds(1), seconds(1), all, { timeoutMs: 300 }, 10)).rejects.toThrow("within 0.3 s");
  pingStatus = 503;
  const begun = performance.now();
  await expect(found(seconds(48), [], allTime, { timeoutMs: 300 }, 10)).rejects.toThrow("within 0.3 s");
  expect(performance.now() - begun).toBeLessThan(2_000);
});
