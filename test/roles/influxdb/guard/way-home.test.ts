import { expect, test } from "bun:test";
import { WayHome } from "../../../../src/roles/influxdb/guard/way-home.ts";

/** When it goes, s, looked at every 5 s; `mayGo` by the second. */
function moves(seconds: number, mayGo: (second: number) => boolean): number[] {
  let now = 0;
  const way = new WayHome({ now: () => now });
  const gone: number[] = [];
  for (; now <= seconds * 1_000; now += 5_000) {
    if (!way.isDue(mayGo(now / 1_000))) continue;
    way.gone();
    gone.push(now / 1_000);
  }
  return gone;
}

test("it goes once the other node has had everything for a minute", () => {
  expect(moves(300, (second) => second >= 20 && second <= 80)).toEqual([80]);
  expect(moves(300, () => false)).toEqual([]);
});

test("a node that has a gap again and again is not gone to", () => {
  expect(moves(3_600, (second) => second % 60 < 50)).toEqual([]);
});

test("where the other node cannot take it now it is asked again at once", () => {
  let now = 0;
  const way = new WayHome({ now: () => now });
  way.isDue(true);
  now = 60_000;
  expect([way.isDue(true), way.isDue(true)]).toEqual([true, true]);
  way.gone();
  expect(way.isDue(true)).toBe(false);
});

test("one that fails after each time pulls it to and fro no more often than in ten minutes", () => {
  const gone = moves(3_600, () => true);
  expect(gone[0]).toBe(60);
  for (const [i, at] of gone.entries()) expect(at).toBe(60 + i * 600);
});
