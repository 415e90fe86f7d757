import { expect, test } from "bun:test";
import { expiryProblems } from "../../src/agent/authority-problems.ts";

const day = 86_400_000;
const ends = Date.UTC(2036, 10, 20);

test("a CA that ends within two years is told of, with its last day", () => {
  expect(expiryProblems("node1", ends, ends - 731 * day)).toEqual([]);
  expect(expiryProblems("node1", ends, ends - 729 * day)).toMatchObject([
    {
      code: "ca.expires",
      severity: "warning",
      node: "node1",
      message: expect.stringContaining("ends on 2036-11-20, in 729 days"),
    },
  ]);
  expect(expiryProblems("node1", ends, ends + day)).toMatchObject([
    { code: "ca.expires", severity: "error", message: expect.stringContaining("ended on 2036-11-20") },
  ]);
});
