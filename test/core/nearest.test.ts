import { expect, test } from "bun:test";
import { nearest } from "../../src/core/nearest.ts";

const flags = ["--vip", "--set", "--role", "--token", "--token-file", "--timeout"];

test.each([
  ["--vpi", "--vip"],
  ["--rloe", "--role"],
  ["--Role", "--role"],
  ["--tokenfile", "--token-file"],
  ["--time-out", "--timeout"],
  ["--tokn", "--token"],
  ["--colour", undefined],
  ["x", undefined],
])("%s → %s", (word, meant) => {
  expect(nearest(word, flags)).toBe(meant as string);
});
