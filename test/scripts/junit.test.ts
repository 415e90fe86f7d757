import { expect, test } from "bun:test";
import { failuresIn } from "../../scripts/junit.ts";

test("what failed is told with what was printed since the test before it", () => {
  const printed = [
    "bun test",
    "(pass) one [1ms]",
    "kill: 181 ms",
    "error: no",
    "(fail) two [2ms]",
    "(pass) three",
  ];
  const names = "\n\n1 tests failed:\n(fail) two [2ms]\n\n 2 pass\n";
  expect(failuresIn(`${printed.join("\n")}${names}`)).toBe("kill: 181 ms\nerror: no\n(fail) two [2ms]");
});

test("of a long tale of one, and of a run in which no test failed, the end is told", () => {
  const lines = Array.from({ length: 100 }, (_, at) => `line ${at}`);
  expect(failuresIn([...lines, "(fail) long"].join("\n")).split("\n")).toEqual([
    ...lines.slice(41),
    "(fail) long",
  ]);
  expect(failuresIn(lines.join("\n")).split("\n")).toEqual(lines.slice(40));
});
