import { describe, expect, test } from "bun:test";
import {
  contains,
  extras,
  formatGtidSet,
  parseGtidSet,
  reaches,
  union,
} from "../../../src/roles/mysql/engine/gtid-set.ts";

const a = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const b = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
const normal = (text: string) => formatGtidSet(parseGtidSet(text));

describe("parse, as the server normalizes", () => {
  const cases: [text: string, normal: string][] = [
    ["", ""],
    [`${a}:1`, `${a}:1`],
    [`${a.toUpperCase()}:1-3`, `${a}:1-3`],
    [`${a}:1-5:4-9`, `${a}:1-9`],
    [`${a}:7:1-5:6`, `${a}:1-7`],
    [`${a}:1-5:7-8,\n${b}:1`, `${a}:1-5:7-8,${b}:1`],
    [`${a}:1,${a}:2`, `${a}:1-2`],
    [`${a}:5-3`, ""],
    [`${a}:1-2:blue:1-4:9`, `${a}:1-2,${a}:blue:1-4:9`],
    [`${a}:9007199254740993`, `${a}:9007199254740993`],
  ];
  for (const [text, wanted] of cases) test(text || "nothing", () => expect(normal(text)).toBe(wanted));
  for (const text of [
    "1-2-3",
    a,
    `${a}:`,
    `${a}:0`,
    `${a}:1-`,
    `${a}:-1`,
    `${a}:1;DROP`,
    `${a}:9lives`,
    "x:1",
  ])
    test(`refuses ${text}`, () => expect(() => parseGtidSet(text)).toThrow(TypeError));
});

describe("extras (GTID_SUBTRACT)", () => {
  const cases: [own: string, other: string, extra: string[]][] = [
    ["", `${a}:1`, []],
    [`${a}:1-5`, `${a}:1-5`, []],
    [`${a}:1-5`, `${a}:1-4`, [`${a}:5`]],
    [`${a}:1-5`, `${a}:2-3,${b}:1`, [`${a}:1:4-5`]],
    [`${a}:1-5,${b}:1-2`, `${a}:1-9`, [`${b}:1-2`]],
    [`${a}:1-5,${a}:blue:1-2`, `${a}:1-9`, [`${a}:blue:1-2`]],
  ];
  for (const [own, other, extra] of cases)
    test(`${own} against ${other}`, () => expect(extras(own, other)).toEqual(extra));
});

/** Small numbers, so that random sets meet; a fixed seed, so that a failure can be repeated. */
test("agrees with plain sets of numbers, 500 random pairs", () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const make = () => {
    const numbers = new Set<string>();
    const pieces = Array.from({ length: random(5) }, () => {
      const source = random(2) === 0 ? a : b;
      const first = 1 + random(12);
      const last = first + random(4);
      for (let n = first; n <= last; n++) numbers.add(`${source}:${n}`);
      return `${source}:${first}-${last}`;
    });
    return { text: pieces.join(","), numbers };
  };
  const members = (text: string) => {
    const set = parseGtidSet(text);
    const all = [a, b].flatMap((source) => Array.from({ length: 20 }, (_, n) => [source, n + 1] as const));
    return all
      .filter(([source, n]) => contains(set, source, BigInt(n)))
      .map(([source, n]) => `${source}:${n}`);
  };
  for (let round = 0; round < 500; round++) {
    const [one, other] = [make(), make()];
    expect(new Set(members(one.text))).toEqual(one.numbers);
    expect(new Set(members(union(one.text, other.text)))).toEqual(one.numbers.union(other.numbers));
    expect(new Set(members(extras(one.text, other.text).join(",")))).toEqual(
      one.numbers.difference(other.numbers),
    );
    expect(reaches(one.text, other.text)).toBe(other.numbers.isSubsetOf(one.numbers));
    expect(normal(normal(one.text))).toBe(normal(one.text));
  }
});
