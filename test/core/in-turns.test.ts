import { expect, test } from "bun:test";
import { inTurns } from "../../src/core/in-turns.ts";

test("all are worked on, so many at a time, each of these in a seat of its own", async () => {
  const done: number[] = [];
  const sitting = new Set<number>();
  const seats = new Set<number>();
  await inTurns([1, 2, 3, 4, 5, 6, 7], 3, async (item, seat) => {
    expect(sitting).not.toContain(seat);
    sitting.add(seat);
    seats.add(seat);
    await Bun.sleep(item === 1 ? 5 : 0);
    sitting.delete(seat);
    done.push(item);
  });
  expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect([...seats]).toEqual([0, 1, 2]);
});

test("one seat keeps the order; nothing to do is done", async () => {
  const done: string[] = [];
  await inTurns(["a", "b", "c"], 1, async (item) => void done.push(item));
  await inTurns([], 4, () => Promise.reject(new Error("nobody is asked")));
  expect(done).toEqual(["a", "b", "c"]);
});

test("what fails is told", async () => {
  const failing = inTurns([1, 2], 2, (item) =>
    item === 2 ? Promise.reject(new Error("two")) : Promise.resolve(),
  );
  await expect(failing).rejects.toThrow("two");
});
