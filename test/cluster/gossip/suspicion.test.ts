import { expect, test } from "bun:test";
import { Suspicion } from "../../../src/cluster/gossip/suspicion.ts";

/** With 255 members: 1,600 + 100 · log2(256) ms. */
const leastMs = 2_400;

test("who is accused by one alone has four times the least; by two that confirm it, the least", () => {
  const suspicion = new Suspicion(10_000, 1, 255);
  expect(suspicion.deadline).toBe(10_000 + 4 * leastMs);
  expect(suspicion.confirm(2)).toBe(true);
  const [late, between] = [10_000 + 4 * leastMs, suspicion.deadline];
  expect(between).toBeLessThan(late);
  expect(between).toBeGreaterThan(10_000 + leastMs);
  expect(suspicion.confirm(3)).toBe(true);
  expect(suspicion.deadline).toBeCloseTo(10_000 + leastMs, 6);
});

test("nobody confirms twice, nor who accused it first; more than enough is no news", () => {
  const suspicion = new Suspicion(0, 1, 255);
  expect(suspicion.confirm(1)).toBe(false);
  expect(suspicion.confirm(2)).toBe(true);
  expect(suspicion.confirm(2)).toBe(false);
  expect(suspicion.confirm(3)).toBe(true);
  expect(suspicion.confirm(4)).toBe(false);
});

test("where nobody else could confirm it, nobody is waited for", () => {
  expect(new Suspicion(0, 1, 2).deadline).toBeCloseTo(1_600 + 100 * Math.log2(3), 6);
  const three = new Suspicion(0, 1, 3);
  expect(three.deadline).toBeCloseTo(4 * 1_800, 6);
  three.confirm(2);
  expect(three.deadline).toBeCloseTo(1_800, 6);
});
