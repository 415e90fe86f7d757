import { expect, test } from "bun:test";
import { formatDuration, parseDuration } from "../../src/cli/duration.ts";

test.each([
  ["30s", 30_000],
  ["10m", 600_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["3650d", 3650 * 86_400_000],
  ["3651d", undefined],
  ["0s", undefined],
  ["1.5h", undefined],
  ["10", undefined],
  ["10 m", undefined],
  ["m", undefined],
  ["-5m", undefined],
  ["99999999999999h", undefined],
])("%s is %p ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms as number);
});

test.each([
  [0, "0 s"],
  [12_900, "12 s"],
  [60_000, "1 min"],
  [65_000, "1 min 5 s"],
  [3_600_000, "1 h"],
  [12_000_000, "3 h 20 min"],
])("%p ms is told as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
