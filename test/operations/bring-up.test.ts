import { expect, test } from "bun:test";
import { failed } from "../../src/core/errors.ts";
import { failureOf, lastSteps, whoIsWhat } from "../../src/operations/bring-up.ts";
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

test("a role that is ready takes its last step while another one is still filled, whichever was named first, or fails", async () => {
  for (const names of [
    ["mysql", "influxdb"],
    ["influxdb", "mysql"],
  ]) {
    for (const ends of [true, false]) {
      const told: string[] = [];
      const ready = new Set(["mysql"]);
      const stopped = new Set<string>();
      await lastSteps({
        left: () => names.filter((role) => !stopped.has(role)),
        isReady: (role) => Promise.resolve(ready.has(role)),
        async wait(role, takeReady) {
          await takeReady();
          if (role === "mysql") return;
          told.push("influxdb is over");
          if (ends) ready.add(role);
          else stopped.add(role);
        },
        take: (roles) => Promise.resolve(void told.push(...roles)),
      });
      expect(told).toEqual(["mysql", "influxdb is over", ...(ends ? ["influxdb"] : [])]);
    }
  }
});

test("roles that are ready at once take their last step together", async () => {
  const taken: unknown[] = [];
  await lastSteps({
    left: () => ["mysql", "influxdb"],
    isReady: () => Promise.resolve(true),
    wait: () => Promise.resolve(),
    take: (roles) => Promise.resolve(void taken.push(roles)),
  });
  expect(taken).toEqual([["mysql", "influxdb"]]);
});
