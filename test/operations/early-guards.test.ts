import { expect, test } from "bun:test";
import { EarlyGuards } from "../../src/operations/early-guards.ts";

const list = (...ids: string[]) => ids.map((id) => ({ id }));

test.each([
  ["all of its own is there", ["user", "server"], ["one"]],
  ["in any order, and whatever else is", ["package", "server", "user"], ["one"]],
  ["something of its own is missing", ["user", "package"], []],
  ["what it shares with another is told twice", ["user", "user", "package"], []],
])("a role with nothing left to configure: %s", async (_, done, wanted) => {
  const served: string[] = [];
  const guards = new EarlyGuards(
    [
      { name: "one", plan: { installed: list("user", "server"), configured: [] } },
      { name: "other", plan: { installed: list("user", "package"), configured: list("config") } },
      { name: "nothing", plan: { installed: [], configured: [] } },
    ],
    (role) => Promise.resolve(served.push(role)),
  );
  for (const id of done) guards.done(id);
  await guards.called();
  expect(served).toEqual(wanted);
});

test("an agent that does not answer holds nothing up", async () => {
  const plan = { installed: list("server"), configured: [] };
  const guards = new EarlyGuards([{ name: "one", plan }], () => Promise.reject(new Error("gone")));
  guards.done("server");
  await guards.called();
});
