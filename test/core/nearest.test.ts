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

test("of equals the one that begins as the word does, in whatever order they come", () => {
  expect(nearest("of", ["on", "off"])).toBe("off");
  expect(nearest("of", ["off", "on"])).toBe("off");
});
