import { expect, test } from "bun:test";
import { histogram, percentiles } from "../../../src/operations/drill/histogram.ts";

test("percentiles by nearest rank are values that were measured", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(percentiles(hundred)).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
  expect(percentiles([7])).toEqual({ p50: 7, p95: 7, p99: 7, max: 7 });
  expect(percentiles([1, 2, 300])).toEqual({ p50: 2, p95: 300, p99: 300, max: 300 });
  expect(() => percentiles([])).toThrow(RangeError);
});

test("a bar a range, from the first to the last that has one", () => {
  expect(histogram([210, 220, 299, 1_200, 60_000])).toBe(
    [
      "  0.2–0.3 s  ███ 3",
      "  0.3–0.5 s  ",
      "  0.5–1.0 s  ",
      "  1.0–1.5 s  █ 1",
      "  1.5–3.0 s  ",
      " 3.0–10.0 s  ",
      "   ≥ 10.0 s  █ 1",
    ]
      .map((line) => `  ${line}`)
      .join("\n"),
  );
});
