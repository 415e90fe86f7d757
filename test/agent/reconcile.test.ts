import { expect, test } from "bun:test";
import { mayReconcile } from "../../src/agent/reconcile.ts";

test.each([
  ["spec", "none", true],
  ["spec", "reload", true],
  ["spec", "restart", false],
  ["spec", "data", false],
  ["drift", "none", false],
  ["drift", "reload", false],
] as const)("unasked, a change by %s with impact %s is made: %p", (cause, impact, made) => {
  expect(mayReconcile({ cause, impact })).toBe(made);
});
