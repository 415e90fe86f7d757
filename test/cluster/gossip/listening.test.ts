import { expect, test } from "bun:test";
import { Listening } from "../../../src/cluster/gossip/listening.ts";

function listening() {
  let now = 5_000;
  const clock = new Listening(() => now);
  clock.promise(200);
  return { clock, pass: (ms: number) => (now += ms) };
}

test("time goes on between ticks and over them", () => {
  const { clock, pass } = listening();
  pass(150);
  expect(clock.now()).toBe(150);
  expect(clock.tick()).toBe(0);
  clock.promise(200);
  pass(200);
  expect(clock.now()).toBe(350);
});

test("of a pause, no more than a late tick counts, and how long it was is told", () => {
  const { clock, pass } = listening();
  pass(3_000);
  expect(clock.now()).toBe(450);
  expect(clock.tick()).toBe(2_550);
  expect(clock.now()).toBe(450);
});

test("a clock that goes back takes nothing away", () => {
  const { clock, pass } = listening();
  pass(100);
  clock.tick();
  pass(-60_000);
  expect(clock.now()).toBe(100);
  expect(clock.tick()).toBe(0);
  pass(50);
  expect(clock.now()).toBe(150);
});
