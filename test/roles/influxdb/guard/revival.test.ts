import { expect, test } from "bun:test";
import { Revival } from "../../../../src/roles/influxdb/guard/revival.ts";

const room = 1 << 30;
let now = 0;
let free = room;
let readOnly: string | undefined;
const make = () =>
  new Revival(
    { now: () => now },
    () => "/data",
    () => Promise.resolve(free),
    (path) => path === readOnly,
  );

test("a server whose disk was full is restarted once there is room, whatever its own points say", async () => {
  const revival = make();
  await revival.look();
  expect([revival.isFull, revival.isDue()]).toEqual([false, false]);
  free = 0;
  await revival.look();
  expect([revival.isFull, revival.isDue()]).toEqual([true, false]);
  free = room;
  await revival.look();
  revival.well();
  expect([revival.isFull, revival.isDue(), revival.isDue()]).toEqual([false, true, false]);
});

test("one whose engine is stuck is restarted after some failures, and not again at once", async () => {
  const revival = make();
  const dues = async (code: string, times: number) => {
    const found: boolean[] = [];
    for (let nth = 0; nth < times; nth++) {
      await revival.look();
      revival.failed(code);
      found.push(revival.isDue());
    }
    return found;
  };
  expect(await dues("influxdb.broken", 4)).toEqual([false, false, true, false]);
  expect(await dues("influxdb.broken", 5)).not.toContain(true);
  now += 60_000;
  expect(await dues("influxdb.broken", 1)).toEqual([true]);
  now += 60_000;
  expect(await dues("influxdb.timeout", 9)).not.toContain(true);
});

test.each(["/data", "/data/engine"])(
  "one whose disk is read-only (%s) is restarted once that can be written to, and not before",
  async (path) => {
    const revival = make();
    readOnly = path;
    now += 60_000;
    const look = async () => {
      await revival.look();
      revival.failed("influxdb.read_only");
      return revival.isDue();
    };
    for (let nth = 0; nth < 9; nth++) {
      now += 60_000;
      expect([revival.isReadOnly, await look()]).toEqual([true, false]);
    }
    readOnly = undefined;
    expect([revival.isReadOnly, await look(), await look()]).toEqual([false, true, false]);
  },
);
