import { expect, test } from "bun:test";
import {
  awaySeconds,
  merged,
  oldBefore,
  overallOf,
  together,
  unseenSince,
  type Past,
  type Outage,
} from "../../../src/roles/influxdb/outages.ts";

test("times that touch are one, those that are sure and those that are not stay apart, and so do those of one bucket", () => {
  expect(
    merged([
      { from: 30, to: 40, sure: true },
      { from: 10, to: 20, sure: true },
      { from: 15, to: 30, sure: true },
      { from: 12, to: 60, sure: false },
      { from: 50, to: null, sure: true },
      { from: 55, to: 58, sure: true },
      { from: 57, to: 70, sure: true, bucket: "raw" },
      { from: 58, to: 59, sure: false, hint: "slow" },
      { from: 59, to: 71, sure: false, hint: "slow" },
    ]),
  ).toEqual([
    { from: 10, to: 40, sure: true },
    { from: 12, to: 60, sure: false },
    { from: 50, to: null, sure: true },
    { from: 57, to: 70, sure: true, bucket: "raw" },
    { from: 58, to: 71, sure: false, hint: "slow" },
  ]);
});

test.each([
  [[], 0],
  [[{ from: 0, to: 90_000, sure: false }], 0],
  [[{ from: 0, to: 300, sure: true }], 1],
  [[{ from: 0, to: 3_000, sure: true }], 4],
  [[{ from: 95_000, to: null, sure: true }], 8],
])("how long it was away, so that it does not change each second: %j", (outages, seconds) => {
  expect(awaySeconds(outages, 100_000)).toBe(seconds);
});

test("a moment counts as well", () => {
  expect(awaySeconds([{ from: 5_000, to: 5_000, sure: true }], 9_000)).toBe(1);
});

test.each<[string, Outage[], number | undefined]>([
  ["nothing", [], undefined],
  ["an agent that was away", [{ from: 5_000, to: 9_000, sure: false }], 5_000],
  ["one bucket of it that is held up", [{ from: 5_000, to: 9_000, sure: false, bucket: "raw" }], undefined],
  ["what is known to be missing", [{ from: 5_000, to: 9_000, sure: true }], undefined],
  ["what is looked at each minute", [{ from: 5_000, to: 9_000, sure: false, hint: "routine" }], undefined],
  ["a look at all times", [{ from: 0, to: 9_000, sure: false, hint: "old" }], undefined],
  ["a slow answer", [{ from: 5_000, to: 9_000, sure: false, hint: "slow" }], undefined],
])("since when nobody has looked: %s", (_, outages, since) => {
  expect(unseenSince(outages)).toBe(since);
});

test("up to when all times are still to be compared: of all buckets, and not what was found by that", () => {
  const all: Outage = { from: 0, to: 9_000, sure: false, hint: "old" };
  expect(oldBefore([])).toBeUndefined();
  expect(
    oldBefore([
      { ...all, sure: true },
      { ...all, bucket: "raw" },
    ]),
  ).toBeUndefined();
  expect(oldBefore([all, { ...all, to: 9_500, bucket: "raw" }])).toBe(9_000);
});

const short = { from: 500_000, to: 510_000, sure: true };

test.each<[string, Past, [from: number, to: number]]>([
  ["close by", { ...short, from: 520_000, to: 530_000 }, [500_000, 530_000]],
  ["before it", { ...short, from: 430_000, to: 450_000 }, [430_000, 510_000]],
  ["in it", { ...short, from: 502_000 }, [500_000, 510_000]],
  ["a minute later", { ...short, from: 570_000, to: 580_000 }, [500_000, 510_000]],
  ["so long that not all values would be compared", { ...short, from: 0, to: 600_001 }, [500_000, 510_000]],
  ["of another kind", { ...short, from: 511_000, to: 512_000, sure: false }, [500_000, 510_000]],
  ["of one bucket", { ...short, from: 511_000, to: 512_000, bucket: "raw" }, [500_000, 510_000]],
])("an outage is compared with another one or not: %s", (_, other, [from, to]) => {
  const limits = { closeMs: 60_000, mostMs: 600_000 };
  expect(together(short, [other, short], limits)).toEqual({ ...short, from, to });
});

test("of a server that was away again and again all of it is compared at once, in parts of ten minutes", () => {
  const all = Array.from({ length: 40 }, (_, i) => ({
    from: i * 30_000,
    to: i * 30_000 + 5_000,
    sure: true,
  }));
  const last = all.at(-1) ?? short;
  const { from, to } = together(last, all, { closeMs: 60_000, mostMs: 600_000 });
  expect([from, to]).toEqual([last.to - 575_000, last.to]);
});

test("a bucket that is held up alone is no outage of all", () => {
  const all = { from: 5_000, to: 9_000, sure: true };
  expect(overallOf([all, { ...all, bucket: "raw" }])).toEqual([all]);
});
