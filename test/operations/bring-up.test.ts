import { expect, test } from "bun:test";
import { failed } from "../../src/core/errors.ts";
import { failureOf, whoIsWhat } from "../../src/operations/bring-up.ts";
import { member } from "../agent/members.ts";

const error = failed("x", "broken");
const outcome = { failed: [{ resource: "package:a", error }], blocked: ["service:a"] };

test("a role fails with what is its own, or waits for that, and with nothing else", () => {
  expect(failureOf(outcome, [{ id: "package:a" }, { id: "package:b" }])).toBe(error);
  expect(failureOf(outcome, [{ id: "service:a" }])).toBe(error);
  expect(failureOf(outcome, [{ id: "package:b" }])).toBeUndefined();
});

test("a node's configuration is made anew when somebody takes a role, comes or leaves, and for nothing else", () => {
  const [one, two] = [member("node1"), member("node2")];
  const made = whoIsWhat([one, two]);
  const waiting = { ...one, phase: { demo: "joined" } } as const;
  expect(whoIsWhat([two, waiting])).toBe(made);
  const changed = [
    [one, { ...two, roles: [] }],
    [one, { ...two, address: "10.0.0.99" }],
    [one],
    [one, two, member("node3")],
  ];
  for (const members of changed) expect(whoIsWhat(members)).not.toBe(made);
});
