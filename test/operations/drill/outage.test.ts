import { expect, test } from "bun:test";
import { awaitOutage, gaps, outageOf } from "../../../src/operations/drill/outage.ts";

const rows = (...times: number[]) => times.map((at, i) => ({ id: i + 1, at }));
const settleMs = 250;

test("gaps of at least so long between acknowledged rows", () => {
  expect(gaps(rows(0, 10, 400, 410), 100)).toEqual([{ from: 10, to: 400, ms: 390, ended: true }]);
  expect(gaps(rows(5), 0)).toEqual([]);
});

test.each([
  ["it ends with the first row after the event", rows(0, 95, 700, 705), 100, { from: 95, to: 700, ms: 605 }],
  [
    "rows that were still on their way do not end it",
    rows(0, 95, 101, 102, 600),
    100,
    { from: 102, to: 600, ms: 498 },
  ],
  ["what came before is another one", rows(0, 95, 98, 380), 97, { from: 98, to: 380, ms: 282 }],
  [
    "what came long after is another one",
    rows(90, 110, 130, 360, 2_000),
    100,
    { from: 130, to: 360, ms: 230 },
  ],
  ["no pause at all", rows(90, 99, 110, 200, 300, 360), 100, { from: 200, to: 300, ms: 100 }],
])("the outage of an event: %s", (_, seen, at, wanted) => {
  expect(outageOf(seen, { at, settleMs })).toEqual({ ...wanted, ended: true });
});

test("as long as no row came after it settled nothing is known", () => {
  expect(outageOf(rows(0, 95, 110), { at: 100, settleMs })).toBeUndefined();
  expect(outageOf([], { at: 100, settleMs })).toBeUndefined();
});

test("one that never ends counts with the time that was waited", async () => {
  const at = Date.now();
  const seen = rows(at - 20, at - 10);
  const outage = await awaitOutage(async () => seen, { at, settleMs: 0 }, { timeoutMs: 60 });
  expect(outage.ended).toBe(false);
  expect(outage.from).toBe(at - 10);
  expect(outage.ms).toBeGreaterThanOrEqual(60);
});
