import { expect, test } from "bun:test";
import { meanwhile } from "../../src/core/meanwhile.ts";
import { failure } from "../plan/failure.ts";

test("steps until the work is done, and gives what it came to", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  let steps = 0;
  const step = async () => {
    if (++steps === 3) resolve("done");
  };
  expect(await meanwhile(promise, 1, step)).toBe("done");
  expect(steps).toBe(3);
});

test("work that is done at once takes no step", async () => {
  const step = () => Promise.reject(new Error("a step"));
  expect(await meanwhile(Promise.resolve(1), 60_000, step)).toBe(1);
});

test("work that fails between two steps ends it", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const step = async () => reject(new Error("the work"));
  expect(await failure(meanwhile(promise, 1, step))).toEqual(new Error("the work"));
});

test("a step that fails ends it, and what the work fails with later is heard by nobody", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const step = () => Promise.reject(new Error("a step"));
  expect(await failure(meanwhile(promise, 1, step))).toEqual(new Error("a step"));
  // Unheard it would fail this test.
  reject(new Error("the work"));
  await Bun.sleep(0);
});
