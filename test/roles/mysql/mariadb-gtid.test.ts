import { describe, expect, test } from "bun:test";
import {
  contentsAt,
  extras,
  furthest,
  parseGtids,
  reaches,
} from "../../../src/roles/mysql/engine/mariadb-gtid.ts";

describe("parse", () => {
  test("a binlog state", () => {
    expect(parseGtids("0-1-5, 0-2-18446744073709551615")).toEqual([
      { domain: 0, server: 1, sequence: 5n },
      { domain: 0, server: 2, sequence: 18446744073709551615n },
    ]);
  });
  test("nothing", () => expect(parseGtids(" ")).toEqual([]));
  for (const text of ["0-1", "a-b-c", "0-1-5,", "0-1--5", "0-1-5;DROP", "0-1-999999999999999999999"]) {
    test(`refuses ${text}`, () => expect(() => parseGtids(text)).toThrow(TypeError));
  }
});

describe("extras: what one holds and the other does not", () => {
  const cases: [own: string, other: string, extra: string[]][] = [
    ["", "", []],
    ["0-1-5", "0-1-5", []],
    ["0-1-5", "0-1-9,0-2-12", []],
    ["0-1-5", "0-1-4,0-2-12", ["0-1-5"]],
    ["0-1-5,0-2-8", "0-1-5", ["0-2-8"]],
    ["1-1-3", "0-1-5", ["1-1-3"]],
    ["0-1-9007199254740993", "0-1-9007199254740992", ["0-1-9007199254740993"]],
  ];
  for (const [own, other, extra] of cases) {
    test(`${own || "nothing"} against ${other || "nothing"}`, () =>
      expect(extras(own, other)).toEqual(extra));
  }
});

describe("reaches", () => {
  const cases: [position: string, wanted: string, yes: boolean][] = [
    ["0-1-5", "", true],
    ["", "0-1-1", false],
    ["0-2-9", "0-1-5", true],
    ["0-1-4", "0-2-5", false],
    ["1-1-9", "0-1-5", false],
  ];
  for (const [position, wanted, yes] of cases) {
    test(`${position || "nothing"} reaches ${wanted || "nothing"}: ${yes}`, () =>
      expect(reaches(position, wanted)).toBe(yes));
  }
});

describe("furthest", () => {
  const cases: [one: string, other: string, both: string][] = [
    ["", "", ""],
    ["0-1-9", "", "0-1-9"],
    ["0-2-88", "0-1-9", "0-2-88"],
    ["0-1-9", "0-2-88", "0-2-88"],
    ["0-1-9,1-1-4", "0-2-12,1-2-3", "0-2-12,1-1-4"],
  ];
  for (const [one, other, both] of cases) {
    test(`${one || "nothing"} and ${other || "nothing"}`, () => expect(furthest(one, other)).toBe(both));
  }
});

describe("what a copy holds", () => {
  const cases: [before: string, position: string, after: string, contents: string][] = [
    ["", "", "", ""],
    ["0-1-5", "0-1-5", "0-1-5", "0-1-5"],
    // The source wrote on while it was copied, and after.
    ["0-2-4,0-1-5", "0-1-8", "0-2-4,0-1-20", "0-2-4,0-1-8"],
    ["", "0-1-8", "0-1-9", "0-1-8"],
  ];
  for (const [before, position, after, contents] of cases) {
    test(`${position || "nothing"} of a source at ${after || "nothing"}`, () =>
      expect(contentsAt(before, position, after)).toBe(contents));
  }
  test("cannot be told where two servers wrote meanwhile, or where it ends before it began", () => {
    expect(() => contentsAt("0-1-5", "0-2-9", "0-1-7,0-2-9")).toThrow("0-1-7 was written");
    expect(() => contentsAt("0-1-5", "0-1-6", "0-1-6,0-2-9")).toThrow("0-2-9 was written");
    expect(() => contentsAt("0-2-4,0-1-5", "0-2-4", "0-2-4,0-1-5")).toThrow("0-1-5 is not in a copy");
    expect(() => contentsAt("0-1-5", "", "0-1-5")).toThrow("0-1-5 is not in a copy");
  });
});
