import { expect, test } from "bun:test";
import { failed } from "../../src/core/errors.ts";
import { failureOf } from "../../src/operations/bring-up.ts";

const error = failed("x", "broken");
const outcome = { failed: [{ resource: "package:a", error }], blocked: ["service:a"] };

test("a role fails with what is its own, or waits for that, and with nothing else", () => {
  expect(failureOf(outcome, [{ id: "package:a" }, { id: "package:b" }])).toBe(error);
  expect(failureOf(outcome, [{ id: "service:a" }])).toBe(error);
  expect(failureOf(outcome, [{ id: "package:b" }])).toBeUndefined();
});
