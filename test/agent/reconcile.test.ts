import { expect, test } from "bun:test";
import { leftToApply, mayReconcile } from "../../src/agent/reconcile.ts";

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

const restart = { resource: "service:influxdb.service", cause: "spec", impact: "restart" } as const;

test.each([
  ["what the agent does by itself is not told", [{ ...restart, impact: "reload" }], []],
  ["what it leaves to apply is", [restart], ["spec.not_applied"]],
  ["what a join is making is not", [{ ...restart, resource: "service:new.service" }], []],
  ["what was changed by hand is told as that", [{ ...restart, cause: "drift" }], ["drift"]],
  ["both are", [restart, { ...restart, cause: "drift" }], ["drift", "spec.not_applied"]],
] as const)("status: %s", (_, changes, codes) => {
  const told = leftToApply("node2", changes, (resource) => resource === restart.resource);
  expect(told.map(({ code }) => code)).toEqual([...codes]);
  for (const { message } of told) expect(message).toContain("node2");
});
