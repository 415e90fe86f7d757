import { expect, test } from "bun:test";
import { parseMoment } from "../../src/cli/moment.ts";

const now = Date.parse("2026-11-22T12:00:00Z");

test.each([
  ["2h", "2026-11-22T10:00:00Z"],
  ["7d", "2026-11-15T12:00:00Z"],
  ["now", "2026-11-22T12:00:00Z"],
  ["2026-11-01", "2026-11-01T00:00:00Z"],
  ["2026-11-01 08:30", "2026-11-01T08:30:00Z"],
  ["2026-11-01T08:30:15.250Z", "2026-11-01T08:30:15.250Z"],
  ["2026-11-01T08:30:15+02:00", "2026-11-01T06:30:15Z"],
])("%s is a moment, in UTC", (text, wanted) => {
  expect(parseMoment("--from", text, now)).toBe(Date.parse(wanted));
});

test.each([
  "",
  "yesterday",
  "2h30m",
  "2026-13-01",
  "2026-11-31T08:00",
  "2026",
  "08:00",
  "1763300000",
  "2026-11-01T25:00",
])("%p is none", (text) => {
  expect(() => parseMoment("--from", text, now)).toThrow(
    expect.objectContaining({ code: "usage.time", exit: 2 }),
  );
});
