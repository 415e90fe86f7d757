import { describe, expect, test } from "bun:test";
import { order } from "../../src/plan/order.ts";

function ids(...given: [id: string, ...needs: string[]][]): string[] {
  return order(given.map(([id, ...needs]) => ({ id, needs }))).map((resource) => resource.id);
}

describe("order", () => {
  test.each<[string, [string, ...string[]][], string[]]>([
    ["nothing", [], []],
    ["independent ones stay as given", [["b"], ["a"], ["c"]], ["b", "a", "c"]],
    ["needs come first", [["a", "c"], ["b"], ["c"]], ["c", "a", "b"]],
    ["a diamond", [["d", "b", "c"], ["c", "a"], ["b", "a"], ["a"]], ["a", "b", "c", "d"]],
  ])("%s", (_name, given, wanted) => {
    expect(ids(...given)).toEqual(wanted);
  });

  test("mistakes of ours are told by name", () => {
    expect(() => ids(["a", "b"], ["b", "c"], ["c", "a"])).toThrow("a → b → c → a");
    expect(() => ids(["a"], ["a"])).toThrow("two resources are called a");
    expect(() => ids(["a", "x"])).toThrow("a needs x");
  });
});
