import { expect, test } from "bun:test";
import type { Measurement } from "../../../../src/roles/influxdb/gap/schema.ts";
import { batches } from "../../../../src/roles/influxdb/gap/windows.ts";

function measurement(name: string, fields: number): Measurement {
  const types = new Map(Array.from({ length: fields }, (_, i) => [`f${i}`, new Set(["float"])]));
  return { name, mine: types, other: new Map() };
}

test("few fields: many measurements in one request; many fields: one alone", () => {
  const few = Array.from({ length: 45 }, (_, i) => measurement(`m${i}`, 1));
  expect(batches(few).map(({ length }) => length)).toEqual([20, 20, 5]);
  const many = [measurement("a", 300), measurement("b", 60), measurement("c", 50), measurement("d", 40)];
  expect(batches(many).map((some) => some.map(({ name }) => name))).toEqual([["a"], ["b"], ["c", "d"]]);
  expect(batches([])).toEqual([]);
});
