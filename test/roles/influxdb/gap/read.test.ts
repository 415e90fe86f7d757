import { expect, test } from "bun:test";
import { parseBlocks, type Block } from "../../../../src/roles/influxdb/gap/read.ts";
import { random } from "../../../plan/random.ts";
import { floats, integers, nastyText, unsigneds } from "./nasty.ts";
import { pack, type Packed } from "./pack.ts";

const side = { server: { address: "127.0.0.1", port: 8086, org: "chime" } };

/** An answer in pieces of any length. */
async function* pieces(bytes: Uint8Array, next: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const length = next();
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function read(bytes: Uint8Array, next: () => number = () => bytes.length): Promise<Block[]> {
  return Array.fromAsync(parseBlocks(side, pieces(bytes, next)));
}

/** Blocks as one each for what belongs together. */
function joined(blocks: readonly Block[]) {
  const all: { tags: string; fields: string; rows: unknown[] }[] = [];
  for (const { tags, fields, rows } of blocks) {
    const [key, names] = [JSON.stringify(tags), JSON.stringify(fields)];
    const last = all.at(-1);
    const more = rows.map(({ time, values }) => [time, ...values]);
    if (last?.tags === key && last.fields === names) last.rows.push(...more);
    else all.push({ tags: key, fields: names, rows: more });
  }
  return all;
}

const bytes = (text: string) => Buffer.from(text).toString("latin1");

function answer(series: readonly Packed[]): Packed {
  return { results: [{ statement_id: 0n, series, partial: true }] };
}

test("floats, integers and texts come as what they are, to the last bit", async () => {
  const values: Packed[] = [...floats, ...integers, ...unsigneds, true, false, null, "", "ä😀\n\u0000"];
  const columns = ["time", ...values.map((_, i) => `f${String(i).padStart(2, "0")}`)];
  const series = [{ name: "m", tags: { b: "ä", a: "" }, columns, values: [[-1n, ...values]] }];
  const [block] = await read(pack(answer(series)));
  expect(block?.tags).toEqual([
    ["a", ""],
    ["b", bytes("ä")],
  ]);
  const [row] = block?.rows ?? [];
  expect(row?.time).toBe(-1n);
  for (const [i, value] of values.entries()) {
    const wanted = typeof value === "string" ? bytes(value) : value;
    expect(Object.is(row?.values[i], wanted), `value ${i} came as ${String(row?.values[i])}`).toBe(true);
  }
});

test("a text that is not UTF-8 keeps its bytes", async () => {
  const text = new Uint8Array([0xff, 0x00, 0xc3, 0x28, 0x80]);
  const [block] = await read(pack(answer([{ name: "m", columns: ["time", "s"], values: [[0n, text]] }])));
  expect(Buffer.from(String(block?.rows[0]?.values[0]), "latin1")).toEqual(Buffer.from(text));
});

test("however an answer is cut, it is the same", async () => {
  const roll = random(7);
  const series = Array.from({ length: 40 }, (_, i) => ({
    name: "m",
    tags: { host: `h${i}`, [nastyText(roll)]: nastyText(roll) },
    columns: ["time", "f", "s"],
    values: Array.from({ length: 1 + roll(40) }, (_, nth) => [
      BigInt(nth),
      roll(1000) / 7,
      nastyText(roll, 60),
    ]),
  }));
  // Chunks come as answers of their own.
  const whole = Buffer.concat([pack(answer(series.slice(0, 25))), pack(answer(series.slice(25)))]);
  const wanted = joined(await read(whole));
  expect(wanted.flatMap(({ rows }) => rows)).toHaveLength(
    series.reduce((sum, { values }) => sum + values.length, 0),
  );
  expect(joined(await read(whole, () => 1))).toEqual(wanted);
  for (let seed = 1; seed <= 20; seed++) {
    const cut = random(seed);
    expect(joined(await read(whole, () => 1 + cut(300)))).toEqual(wanted);
  }
});

test("an answer that ends too soon is an error, wherever", async () => {
  const whole = pack(
    answer([
      {
        name: "m",
        tags: { a: "b" },
        columns: ["time", "f"],
        values: [
          [1n, 1],
          [2n, 2],
        ],
      },
    ]),
  );
  expect(await read(whole)).toHaveLength(1);
  for (let length = 1; length < whole.length; length++) {
    const error = await read(whole.subarray(0, length)).catch((caught: unknown) => caught);
    expect(error, `cut at ${length} of ${whole.length}`).toMatchObject({ code: "influxdb.answer" });
  }
  expect(await read(new Uint8Array())).toEqual([]);
});

test.each<[string, Packed, string]>([
  ["an error of the statement", { results: [{ error: "not executed" }] }, "influxdb.query"],
  ["an error of all", { error: "no such database" }, "influxdb.query"],
  ["no map", [1n], "influxdb.answer"],
  ["rows before their columns", answer([{ values: [[1n, 1]] }]), "influxdb.answer"],
  ["rows without a time", answer([{ columns: ["f"], values: [[1]] }]), "influxdb.answer"],
  ["a time that is none", answer([{ columns: ["time"], values: [["now"]] }]), "influxdb.answer"],
  ["a row that is too short", answer([{ columns: ["time", "f"], values: [[1n]] }]), "influxdb.answer"],
])("%s", async (_, packed, code) => {
  expect(await read(pack(packed)).catch((caught: unknown) => caught)).toMatchObject({ code });
});

test("what is not known of an answer is passed over", async () => {
  const messages = [{ level: "warning", text: "x".repeat(300), more: [1n, [2, { deep: null }]] }];
  const odd = {
    results: [{ messages, series: [{ name: "m", new: { a: [1n] }, columns: ["time"], values: [] }] }],
  };
  expect(await read(pack(odd))).toEqual([]);
});
