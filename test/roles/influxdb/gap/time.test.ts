import { expect, test } from "bun:test";
import { allTime, byShard, within, without } from "../../../../src/roles/influxdb/gap/time.ts";

const week = 604_800_000;

test("a condition holds all that a server can store, and no more than it can understand", () => {
  expect(within({ from: 1, to: 2 })).toBe("time >= 1000000 AND time <= 1999999");
  expect(within({ from: -2, to: -1 })).toBe("time >= -2000000 AND time <= -1000001");
  expect(within(allTime)).toBe("time >= -9223372036854775806 AND time <= 9223372036854775806");
});

test("shards of a week begin on Mondays", () => {
  const monday = Date.parse("2026-11-16T00:00:00Z");
  const range = { from: monday - 1, to: monday + week + 1 };
  expect(byShard(range, [week])).toEqual([
    { from: monday - 1, to: monday },
    { from: monday, to: monday + week },
    { from: monday + week, to: monday + week + 1 },
  ]);
  expect(byShard({ from: -week, to: 0 }, [week]).map(({ from }) => new Date(from).getUTCDay())).toEqual([
    4, 1,
  ]);
});

test("where the twins cut differently, both cuts are made", () => {
  const hour = 3_600_000;
  const cuts = byShard({ from: 0, to: 6 * hour }, [2 * hour, 3 * hour]).map(({ to }) => to / hour);
  // Counted from the year 1, three hours fall as two do: both divide a day.
  expect(cuts).toEqual([2, 3, 4, 6]);
  expect(byShard({ from: 5, to: 7 }, [])).toEqual([{ from: 5, to: 7 }]);
});

test("a range without parts of it", () => {
  expect(without({ from: 0, to: 10 }, [])).toEqual([{ from: 0, to: 10 }]);
  const holes = [
    { from: -5, to: 2 },
    { from: 4, to: 6 },
    { from: 5, to: 7 },
    { from: 9, to: 12 },
  ];
  expect(without({ from: 0, to: 10 }, holes)).toEqual([
    { from: 2, to: 4 },
    { from: 7, to: 9 },
  ]);
  expect(without({ from: 0, to: 10 }, [{ from: 0, to: 10 }])).toEqual([]);
});
