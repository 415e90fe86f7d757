import { expect, test } from "bun:test";
import { wasStartedBefore, type TrustOrder } from "../../../src/roles/minio/trusted.ts";

const ordered: TrustOrder = { ca: "both", before: "first" };

test.each<
  [string, Parameters<typeof wasStartedBefore>[0], string | undefined, TrustOrder | undefined, boolean]
>([
  ["before them", { active: "active", invocation: "first", startedAt: 5 }, "both", undefined, true],
  [
    "before them, and still starts",
    { active: "activating", invocation: "first", startedAt: 5 },
    "both",
    undefined,
    true,
  ],
  ["after them", { active: "active", invocation: "first", startedAt: 15 }, "both", undefined, false],
  [
    "before them, and ended",
    { active: "inactive", invocation: "first", startedAt: 5 },
    "both",
    undefined,
    false,
  ],
  ["without any", { active: "active", invocation: "first", startedAt: 0 }, undefined, undefined, false],
  [
    "before a restart for them that is still to come",
    { active: "active", invocation: "first", startedAt: 15 },
    "both",
    ordered,
    true,
  ],
  [
    "anew for them, on a clock that was set back",
    { active: "active", invocation: "second", startedAt: 5 },
    "both",
    ordered,
    false,
  ],
  [
    "anew for others, and before these",
    { active: "active", invocation: "second", startedAt: 5 },
    "new",
    ordered,
    true,
  ],
])("a server that was started %s", (_, run, ca, order, wanted) => {
  expect(wasStartedBefore(run, { ca, changed: 10 }, order)).toBe(wanted);
});
