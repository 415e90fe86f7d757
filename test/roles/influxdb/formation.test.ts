import { expect, test } from "bun:test";
import { formation, type Found } from "../../../src/roles/influxdb/formation.ts";

const mate = (more: Partial<NonNullable<Found["mate"]>> = {}) => ({
  name: "node2",
  isFirst: false,
  isThere: false,
  wasJoined: false,
  ...more,
});
const fresh: Found = { isNew: true, wasJoined: false, holdsData: false, isTwin: null, mate: undefined };

test.each([
  ["the only one", {}, "found"],
  ["the first of two that begin", { mate: mate() }, "found"],
  ["the second of two that begin", { mate: mate({ isFirst: true }) }, "wait"],
  ["the other one is set up", { mate: mate({ isFirst: true, isThere: true, wasJoined: true }) }, "copy"],
  ["rebuilt, and joined before the other one", { mate: mate({ isThere: true, wasJoined: true }) }, "copy"],
  ["the other one is set up and away", { mate: mate({ wasJoined: true }) }, "wait"],
  ["its data are gone, and nobody else has them", { wasJoined: true }, "wait"],
  [
    "its data are gone, and the other one is away",
    { wasJoined: true, mate: mate({ wasJoined: true }) },
    "wait",
  ],
  ["its data are gone", { wasJoined: true, mate: mate({ isThere: true, wasJoined: true }) }, "copy"],
  ["as it was", { isNew: false, wasJoined: true, holdsData: true, mate: mate() }, "join"],
  ["a setup that was cut off", { isNew: false }, "found"],
  [
    "a takeover that was cut off",
    { isNew: false, isTwin: false, mate: mate({ isFirst: true, isThere: true, wasJoined: true }) },
    "copy",
  ],
  [
    "a copy that was cut off where there were data before",
    { isNew: false, wasJoined: true, isTwin: false, mate: mate({ isThere: true, wasJoined: true }) },
    "copy",
  ],
  [
    "the same, and the other one is away",
    { isNew: false, wasJoined: true, mate: mate({ wasJoined: true }) },
    "wait",
  ],
  [
    "a copy that was cut off at its end",
    { isNew: false, wasJoined: true, isTwin: true, mate: mate({ isThere: true, wasJoined: true }) },
    "join",
  ],
  ["data that were kept, of a twin", { isNew: false, isTwin: true, mate: mate({ isThere: true }) }, "join"],
  [
    "two that were set up apart",
    {
      isNew: false,
      wasJoined: true,
      holdsData: true,
      isTwin: false,
      mate: mate({ isThere: true, wasJoined: true }),
    },
    "wait",
  ],
] satisfies [string, Partial<Found>, string][])("%s: %j is to %s", (_, found, wanted) => {
  expect(formation({ ...fresh, ...found }).do).toBe(wanted as never);
});
