import { afterEach, expect, test } from "bun:test";
import { systemClock, type Clock } from "../../../../src/core/clock.ts";
import { fill } from "../../../../src/roles/influxdb/gap/fill.ts";
import { Pace, type Care } from "../../../../src/roles/influxdb/gap/pace.ts";
import { planWindows } from "../../../../src/roles/influxdb/gap/plan.ts";
import type { FillRecord } from "../../../../src/roles/influxdb/gap/record.ts";
import type { Measurement } from "../../../../src/roles/influxdb/gap/schema.ts";
import type { Pair, Side } from "../../../../src/roles/influxdb/gap/sides.ts";
import { pack, type Packed } from "./pack.ts";

const servers: Bun.Server<undefined>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

type Answerer = (statement: string, path: string) => Response | Promise<Response>;

function serve(answer: Answerer): Side {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const statement = pathname === "/query" ? new URLSearchParams(await request.text()).get("q") : "";
      return answer(statement ?? "", pathname);
    },
  });
  servers.push(server);
  return {
    server: { address: "127.0.0.1", port: server.port ?? 0, org: "chime" },
    bucket: { id: "1", orgId: "1", name: "chime", retentionSeconds: 0, shardSeconds: 604_800 },
    database: { db: "chime", rp: "autogen" },
  };
}

const names = Array.from({ length: 300 }, (_, i) => `f${String(i).padStart(3, "0")}`);
const types = new Map(names.map((name) => [name, new Set(["float"])]));
const measurement: Measurement = { name: "wide", mine: types, other: types };
const pairOf = (mine: Side, other: Side): Pair => ({ name: "chime", mine, other });
const table = (values: number[][]) => ({
  results: [{ series: [{ name: "wide", columns: ["time", ...names], values }] }],
});
const nothing = { results: [{ statement_id: 0 }] };

function paced(clock: Clock = systemClock): Care & { pace: Pace } {
  const pace = new Pace(clock);
  pace.unfelt();
  return { timeoutMs: 3_000, pace };
}

/** Ten values of each field in each second. */
function countsOf(statement: string) {
  const [, from = 0, to = 0, step = 0] = (
    /time >= (\d+) AND time <= (\d+) GROUP BY time\((\d+)ms\)/.exec(statement) ?? []
  ).map(Number);
  const rows: number[][] = [];
  for (let ms = Math.floor(from / 1e6 / step) * step; ms <= to / 1e6; ms += step)
    rows.push([ms, ...names.map(() => Math.round(step / 100))]);
  return rows;
}

const record = { has: () => false, add: () => Promise.resolve() } as unknown as FillRecord;

test.each([
  ["", 120_000, { timeoutMs: 3_000 }],
  [", beside clients", 40_000, paced()],
] as const)("windows hold as many values as one may, of all fields%s", async (_, most, limits) => {
  let longest = 0;
  const mine = serve((statement) => {
    const rows = countsOf(statement);
    longest = Math.max(longest, rows.length);
    return Response.json(table(rows));
  });
  const pair = pairOf(
    mine,
    serve(() => Response.json(nothing)),
  );
  const range = { from: 1_750_000_000_000, to: 1_750_000_100_000 };
  const windows = await Array.fromAsync(planWindows(pair, measurement, range, limits));
  expect(Math.max(...windows.map(({ values }) => values))).toBeLessThanOrEqual(most);
  expect(windows.reduce((sum, { values }) => sum + values, 0)).toBeCloseTo(300_000, -5);
  expect(longest * names.length).toBeLessThan(60_000);
});

test("of rows with hundreds of fields no more is kept than two hundred thousand places, the others are compared as they come", async () => {
  const at = 1_750_000_000_000;
  const row = (nth: number) => [
    BigInt(at) * 1_000_000n + BigInt(nth),
    0.5,
    ...names.slice(1).map(() => null),
  ];
  const rows = (from: number, to: number): Packed => {
    const values = Array.from({ length: to - from }, (_, i) => row(from + i));
    return { results: [{ series: [{ name: "wide", columns: ["time", ...names], values }] }] };
  };
  // All of it is answered once the other one is asked, too.
  const isAsked = Promise.withResolvers<void>();
  const mine = serve((statement) => {
    if (statement.includes("count("))
      return Response.json(table([[at, 900, ...names.slice(1).map(() => 0)]]));
    return new Response(
      new ReadableStream({
        async start(stream) {
          stream.enqueue(pack(rows(0, 800)));
          await isAsked.promise;
          stream.enqueue(pack(rows(800, 900)));
          stream.close();
        },
      }),
    );
  });
  const other = serve((statement, path) => {
    if (path !== "/query") return new Response(null, { status: 204 });
    if (statement.includes("count(")) return Response.json(nothing);
    isAsked.resolve();
    return new Response(pack({ results: [{ statement_id: 0n }] }));
  });
  const options = { limits: paced(), clock: systemClock, authority: undefined, record };
  const filled = await fill(pairOf(mine, other), measurement, { from: at, to: at + 1 }, options);
  expect(filled).toMatchObject({ points: 900, values: 900, written: { mine: 0, other: 900 } });
});

test("an answer that holds nothing is no reason to ask for more at once", async () => {
  const at = 1_750_000_000_000;
  const row = [BigInt(at) * 1_000_000n, ...names.map(() => 0.5)];
  const full = { results: [{ series: [{ name: "wide", columns: ["time", ...names], values: [row] }] }] };
  const mine = serve((statement) =>
    statement.includes("count(")
      ? Response.json(table([[at, 60_000, ...names.slice(1).map(() => 0)]]))
      : new Response(pack(full)),
  );
  const other = serve((statement, path) => {
    if (path !== "/query") return new Response(null, { status: 204 });
    if (statement.includes("count(")) return Response.json(nothing);
    return new Response(pack({ results: [{ statement_id: 0n }] }));
  });
  let now = 0;
  const limits = paced({ ...systemClock, now: () => (now += 60), sleep: () => Promise.resolve() });
  const options = { limits, clock: systemClock, authority: undefined, record };
  await fill(pairOf(mine, other), measurement, { from: at, to: at + 1 }, options);
  // By what the first one answered, in 60 ms.
  expect(limits.pace.size("reading")).toBe(25_000);
});
