import { expect, test } from "bun:test";
import { allTime, type Range } from "../../../../src/roles/influxdb/gap/time.ts";
import {
  contentsOf,
  isWithheld,
  lackedIn,
  later,
  ofAllTimes,
  older,
  rangesOf,
  sliceOf,
  withheldOf,
} from "../../../../src/roles/influxdb/guard/times.ts";
import type { Outage, Past } from "../../../../src/roles/influxdb/outages.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const now = 20_000 * day;
const all: Outage = { from: 0, to: allTime.to, sure: false, hint: "old" };
const sure: Outage = { from: now - hour, to: now - 50 * minute, sure: true };

test.each<[string, Outage, Range]>([
  ["what is ahead of all clients comes first", all, { from: now + hour, to: allTime.to }],
  ["then a day up to now", { ...all, to: now + hour }, { from: now - 3_000 - day, to: now - 3_000 }],
  ["then the day before", { ...all, to: now - day }, { from: now - 2 * day, to: now - day }],
  ["the last one has all that is older", { ...all, to: hour }, { from: allTime.from, to: hour }],
  [
    "of a part no more than that",
    { ...all, from: now - day - 1, to: now - day, bucket: "raw" },
    { from: now - day - 1, to: now - day },
  ],
])("all times are compared a part at a time: %s", (_, outage, slice) => {
  expect(sliceOf(outage, now, day)).toEqual(slice);
});

test("part after part is all of it, and it ends", () => {
  const seen: Range[] = [];
  for (let left: Outage[] = [all]; left[0];) {
    const slice = sliceOf(left[0], now, 900 * day);
    seen.push(slice);
    left = older(left[0], slice);
  }
  // But for what may be under way, and what a clock that is ahead writes: compared once it is over.
  expect(seen[1]?.to).toBe(now - 3_000);
  expect(seen.slice(2).map(({ to }) => to)).toEqual(seen.slice(1, -1).map(({ from }) => from));
  expect([seen[0]?.to, seen.at(-1)?.from]).toEqual([allTime.to, allTime.from]);
  const part: Outage = { ...all, from: now - day, to: now - hour };
  expect(older(part, { from: now - day, to: now - hour })).toEqual([]);
});

test.each<[string, Outage, boolean]>([
  ["an outage", sure, true],
  ["a time in which nobody looked", { ...sure, sure: false }, true],
  ["all that there is", { ...sure, from: 0 }, false],
  ["a slow server", { ...sure, sure: false, hint: "slow" }, false],
  ["what is compared each minute", { ...sure, sure: false, hint: "routine" }, false],
  ["what that found at all times", { ...sure, hint: "old" }, false],
  ["a bucket that is held up", { ...sure, bucket: "raw" }, false],
])("all times are compared after some: %s", (_, outage, follows) => {
  expect(ofAllTimes(outage)).toEqual(follows ? [all] : []);
});

test("clocks of clients may be a minute apart around an outage, and its end is looked at again when that is over", () => {
  expect(rangesOf(sure, now - 49 * minute, now)).toEqual([
    { from: sure.from - minute, to: now - 49 * minute },
  ]);
  const justNow: Outage = { ...sure, to: now - 10_000 };
  expect(later(justNow, now - 3_000)).toEqual([
    { from: now - 3_000, to: now + 50_000, sure: false, hint: "routine" },
  ]);
  expect(later(sure, now - 49 * minute)).toEqual([]);
});

test("what was found missing in the future is filled as it was found, at once, and nothing of it is left for later", () => {
  const ahead: Outage = { from: now + day, to: now + day + 1_000, sure: true, hint: "old" };
  const range = { from: now + day, to: now + day + 1_000 };
  expect([rangesOf(ahead, now - 3_000, now), later(ahead, now - 3_000)]).toEqual([[range], []]);
  expect(contentsOf(ahead, range)).toBe(false);
  expect(rangesOf({ ...ahead, from: 0, to: 1 }, now - 3_000, now)).toEqual([{ from: allTime.from, to: 1 }]);
});

const unseen: Outage = { ...sure, sure: false };

test.each<[string, Outage, number, Outage[]]>([
  ["of an outage", unseen, now - 1_000, [{ from: now - 1_000, to: now, sure: true }]],
  [
    "found by a look at all times",
    all,
    now - 1_000,
    [{ from: now - 1_000, to: now, sure: true, hint: "old" }],
  ],
  // Else it would be missing until its time is over.
  [
    "ahead of all clients",
    unseen,
    now + day,
    [{ from: now + day, to: now + day + 1_000, sure: true, hint: "old" }],
  ],
])("what is missing here %s", (_, outage, from, lacked) => {
  const gap = { bucket: "chime", measurement: "m", from, to: from + 1_000 };
  const gaps = [
    { ...gap, missing: { mine: 1, other: 0 } },
    { ...gap, missing: { mine: 0, other: 1 } },
  ];
  expect(lackedIn(gaps, outage, { to: allTime.to, now })).toEqual(lacked);
});

const raw = { bucket: "raw", from: now - 3 * hour, to: now - 2 * hour };
const before1970 = { bucket: "raw", from: -day, to: -hour };
const seen: Past = { from: now - day, to: now, sure: true };

test.each<[string, Past, Outage[]]>([
  [
    "all of it where all was away",
    { ...seen, from: 0 },
    [
      { ...seen, ...before1970, from: 0, to: 1 },
      { ...seen, ...raw },
    ],
  ],
  ["of any bucket no more than both", { ...seen, to: raw.to - 1 }, [{ ...seen, ...raw, to: raw.to - 1 }]],
  ["of the same bucket", { ...seen, bucket: "raw" }, [{ ...seen, ...raw }]],
  ["nothing of another bucket", { ...seen, bucket: "other" }, []],
  ["nothing of another time", { ...seen, from: raw.to }, []],
])("what is withheld is left to be compared: %s", (_, outage, waiting) => {
  expect(withheldOf(outage, [before1970, raw])).toEqual(waiting as Past[] as ReturnType<typeof withheldOf>);
});

test("what is left of an outage is withheld altogether, and is not looked at again and again", () => {
  const [left] = withheldOf(seen, [raw]);
  expect(isWithheld(left as Past, [raw])).toBe(true);
  expect(isWithheld(seen, [raw])).toBe(false);
  expect(isWithheld({ ...seen, bucket: "raw" }, [raw])).toBe(false);
  expect(isWithheld({ ...(left as Past), bucket: "other" }, [raw])).toBe(false);
});
