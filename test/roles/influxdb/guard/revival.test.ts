import { expect, test } from "bun:test";
import { Revival } from "../../../../src/roles/influxdb/guard/revival.ts";

const clock = { now: () => now };
let now = 0;

test("it is restarted once there is room, after some failures, and not again at once", async () => {
  let free = 0;
  const revival = new Revival(
    clock,
    () => "/data",
    () => Promise.resolve(free),
  );
  const dues: boolean[] = [];
  const fail = async (times: number) => {
    for (let nth = 0; nth < times; nth++) dues.push(await revival.isDue("influxdb.broken"));
  };
  await fail(5);
  expect([dues.includes(true), revival.isFull]).toEqual([false, true]);
  free = 1 << 30;
  await fail(1);
  expect([dues.at(-1), revival.isFull]).toEqual([true, false]);
  await fail(5);
  expect(dues.slice(-5)).not.toContain(true);
  now += 60_000;
  await fail(1);
  expect(dues.at(-1)).toBe(true);
});

test("a server that does not answer is not one whose engine is stuck", async () => {
  const revival = new Revival(
    clock,
    () => "/data",
    () => Promise.resolve(1 << 30),
  );
  for (let nth = 0; nth < 9; nth++) expect(await revival.isDue("influxdb.timeout")).toBe(false);
});
