import { expect, test } from "bun:test";
import { requireRoleNames } from "../../src/operations/role-names.ts";
import { failure } from "../plan/failure.ts";

const of = async (...words: string[]) => requireRoleNames(words);

test("names of roles pass, and none at all", async () => {
  await of("mysql", "witness");
  await of();
});

test.each([
  ["mysqll", "did you mean --role mysql?"],
  ["nonsense", "--role with one of them"],
])("%s is wrong usage", async (word, remedy) => {
  expect(await failure(of("mysql", word))).toMatchObject({ code: "usage.unknown_role", exit: 2, remedy });
});
