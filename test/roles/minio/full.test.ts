import { expect, test } from "bun:test";
import { isFull } from "../../../src/roles/minio/full.ts";

test("a drive is full when less than a hundredth of it is free", () => {
  expect(isFull({ blocks: 1_000, bavail: 10 })).toBe(false);
  expect(isFull({ blocks: 1_000, bavail: 9 })).toBe(true);
  expect(isFull({ blocks: 1_000, bavail: 0 })).toBe(true);
});
