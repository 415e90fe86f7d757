import { expect, test } from "bun:test";
import { compareTags, differences, type Rows } from "../../../../src/roles/influxdb/gap/diff.ts";
import type { Value } from "../../../../src/roles/influxdb/gap/msgpack.ts";
import type { Block, Tag } from "../../../../src/roles/influxdb/gap/read.ts";
import type { Which } from "../../../../src/roles/influxdb/gap/sides.ts";
import { random } from "../../../plan/random.ts";

/** A series' tags, and by time the values by field. */
interface Series {
  tags: Record<string, string>;
  points: Record<number, Record<string, Value>>;
}

/** As a server answers: all keys of the measurement, sorted series, rows in blocks of any size. */
function rowsOf(
  series: readonly Series[],
  unsigned: string[] = [],
  blockOf: () => number = () => 1000,
): Rows {
  const keys = [...new Set(series.flatMap(({ tags }) => Object.keys(tags)))].sort();
  const fields = [
    ...new Set(series.flatMap(({ points }) => Object.values(points).flatMap(Object.keys))),
  ].sort();
  const blocks: Block[] = [];
  const listed = series
    .map(({ tags, points }) => ({ tags: keys.map((key): Tag => [key, tags[key] ?? ""]), points }))
    .sort((a, b) => compareTags(a.tags, b.tags));
  for (const { tags, points } of listed) {
    const rows = Object.entries(points)
      .map(([time, values]) => ({ time: BigInt(time), values: fields.map((name) => values[name] ?? null) }))
      .sort((a, b) => Number(a.time - b.time));
    while (rows.length > 0) blocks.push({ tags, fields, rows: rows.splice(0, blockOf()) });
  }
  return { unsigned: new Set(unsigned), blocks: fromArray(blocks) };
}

async function* fromArray(blocks: readonly Block[]): AsyncGenerator<Block> {
  yield* blocks;
}

async function diff(mine: Rows, other: Rows, authority?: Which) {
  const unsayable = { mine: 0, other: 0 };
  const all = { mine: [] as string[], other: [] as string[], unsayable, points: 0, values: 0, conflicts: 0 };
  for await (const found of differences("m", mine, other, authority)) {
    all.mine.push(...found.mine);
    all.other.push(...found.other);
    all.unsayable.mine += found.unsayable.mine;
    all.unsayable.other += found.unsayable.other;
    all.points += found.points;
    all.values += found.values;
    all.conflicts += found.conflicts;
  }
  return all;
}

const host = (name: string, points: Series["points"]): Series => ({ tags: { host: name }, points });

test("each is given what the other one has: points, values of points, series", async () => {
  const mine = rowsOf([
    host("a", { 1: { f: 1 }, 2: { f: 2, s: "x" }, 4: { f: 4 } }),
    host("c", { 1: { f: 9 } }),
  ]);
  const other = rowsOf([host("a", { 1: { f: 1 }, 2: { f: 2 }, 3: { f: 3 } }), host("b", { 1: { i: 5n } })]);
  expect(await diff(mine, other)).toEqual({
    mine: ["m,host=a f=3 3", "m,host=b i=5i 1"],
    other: ['m,host=a s="x" 2', "m,host=a f=4 4", "m,host=c f=9 1"],
    unsayable: { mine: 0, other: 0 },
    points: 6,
    values: 5,
    conflicts: 0,
  });
});

test("what no line can say is counted, and given as no other point", async () => {
  const field = "a\nb";
  const mine = rowsOf([host("a\nm f=1 1", { 1: { f: 1 } }), host("b", { 1: { f: 1 }, 2: { f: 2 } })]);
  const other = rowsOf([host("b", { 1: { [field]: 1 }, 3: { f: 3, [field]: 3 }, 4: { f: 4 } })]);
  expect(await diff(mine, other)).toMatchObject({
    mine: ["m,host=b f=4 4"],
    other: ["m,host=b f=1 1", "m,host=b f=2 2"],
    unsayable: { mine: 2, other: 1 },
  });
});

test("a tag that only one of them knows does not part what belongs together", async () => {
  const mine = rowsOf([host("a", { 1: { f: 1 } }), host("b", { 1: { f: 1 } })]);
  const other = rowsOf([
    host("a", { 1: { f: 1 } }),
    { tags: { dc: "x", host: "a" }, points: { 1: { f: 2 } } },
    host("b", { 1: { f: 1 } }),
  ]);
  expect(await diff(mine, other)).toMatchObject({ mine: ["m,dc=x,host=a f=2 1"], other: [], points: 3 });
});

test.each([
  [undefined, [], []],
  ["mine", [], ["m,host=a f=1 1"]],
  ["other", ["m,host=a f=2 1"], []],
] as const)("where both have a value, that of %p counts", async (authority, mine, other) => {
  const rows = (f: number) => rowsOf([host("a", { 1: { f } })]);
  expect(await diff(rows(1), rows(2), authority)).toEqual({
    mine: [...mine],
    other: [...other],
    unsayable: { mine: 0, other: 0 },
    points: 1,
    values: 0,
    conflicts: 1,
  });
});

test.each<[string, Value, Value, string[], string[]]>([
  ["a float and an integer", 1, 1n, [], []],
  ["an integer and an unsigned one", 1n, 1n, [], ["f"]],
  ["zero and minus zero", 0, -0, [], []],
  ["true and its text", true, "true", [], []],
])("%s are not the same", async (_, mine, other, ofMine, ofOther) => {
  const rows = (f: Value, unsigned: string[]) => rowsOf([host("a", { 1: { f } })], unsigned);
  expect((await diff(rows(mine, ofMine), rows(other, ofOther))).conflicts).toBe(1);
});

test("a server that answers in another order is not believed", async () => {
  const block = (name: string, times: number[]): Block => ({
    tags: [["host", name]],
    fields: ["f"],
    rows: times.map((time) => ({ time: BigInt(time), values: [1] })),
  });
  const wrong = [
    [block("b", [1]), block("a", [1])],
    [block("a", [2, 1])],
    [block("a", [1, 2]), block("a", [2])],
  ];
  for (const blocks of wrong) {
    const rows = { unsigned: new Set<string>(), blocks: fromArray(blocks) };
    const error = await diff(rows, rowsOf([])).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "influxdb.order" });
  }
});

/** Applies lines of `m,host=… field=…,… time` to what a side has. */
function applied(series: readonly Series[], lines: readonly string[]): string {
  const all = new Set(
    series.flatMap(({ tags, points }) =>
      Object.entries(points).flatMap(([time, values]) =>
        Object.entries(values).map(([field, value]) => `${tags["host"]} ${time} ${field}=${String(value)}`),
      ),
    ),
  );
  for (const line of lines) {
    const [name = "", fields = "", time] = line.split(" ");
    for (const field of fields.split(",")) all.add(`${name.split("=")[1]} ${time} ${field}`);
  }
  return [...all].sort().join("\n");
}

test("whatever each lacks, both have the same afterwards", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const roll = random(seed);
    const sides: [Series[], Series[]] = [[], []];
    for (let nth = 0; nth < 6; nth++) {
      const points: [Series["points"], Series["points"]] = [{}, {}];
      for (let time = 1; time <= 30; time++) {
        for (const field of ["a", "b", "c"]) {
          const value = roll(5) / 4;
          for (const side of [0, 1] as const) {
            if (roll(3) > 0) (points[side][time] ??= {})[field] = value;
          }
        }
      }
      for (const side of [0, 1] as const) {
        if (roll(4) > 0) sides[side].push(host(`h${nth}`, points[side]));
      }
    }
    const rows = (series: Series[]) => rowsOf(series, [], () => 1 + roll(12));
    const { mine, other, conflicts } = await diff(rows(sides[0]), rows(sides[1]));
    expect(conflicts).toBe(0);
    expect(applied(sides[0], mine)).toBe(applied(sides[1], other));
    // Exactly: what one is given it did not have.
    for (const [series, lines] of [
      [sides[0], mine],
      [sides[1], other],
    ] as const) {
      const values = lines.reduce((sum, line) => sum + (line.match(/[abc]=/g)?.length ?? 0), 0);
      const grown =
        applied(series, lines).split("\n").length - applied(series, []).split("\n").filter(Boolean).length;
      expect(values).toBe(grown);
    }
  }
});
