import { expect, test } from "bun:test";
import { missing } from "../../../src/operations/drill/writer.ts";

test("missing are those that were acknowledged, not those that were merely tried", () => {
  const acknowledged = [1, 2, 4].map((id) => ({ id, at: id }));
  expect(missing(acknowledged, [1, 3, 4, 5])).toEqual([2]);
});
