import { expect, test } from "bun:test";
import { forgone } from "../../../src/roles/influxdb/forgone.ts";
import type { Outage } from "../../../src/roles/influxdb/outages.ts";
import { twinNode } from "./context.ts";

const minute = 60_000;
const start = Date.UTC(2026, 10, 22);
/** The nth hour's first minute. */
const outage = (hour: number, more: Partial<Outage> = {}): Outage => {
  const from = start + hour * 60 * minute;
  return { from, to: from + minute, sure: true, ...more };
};
const self = twinNode(1);
const gone = twinNode(2, { liveness: "left" });
const of = (outages: Outage[], ...others: (typeof self)[]) => forgone("node1", [self, ...others], outages);
const left = "the node that could fill them has left the cluster";

test.each<[string, Outage[], string]>([
  ["a time", [outage(1)], "of 2026-11-22T01:00:00.000Z to 2026-11-22T01:01:00.000Z"],
  ["all of old", [outage(1, { from: 0 })], "from before 2026-11-22T01:01:00.000Z"],
  [
    "one bucket's",
    [outage(1, { bucket: "kept" })],
    "of 2026-11-22T01:00:00.000Z to 2026-11-22T01:01:00.000Z in the bucket kept",
  ],
  [
    "many",
    [1, 2, 3, 4, 5].map((hour) => outage(hour)),
    [1, 2, 3]
      .map((hour) => `of 2026-11-22T0${hour}:00:00.000Z to 2026-11-22T0${hour}:01:00.000Z`)
      .concat("of 2 more times")
      .join(", "),
  ],
])("what nobody can fill any more is told: %s", (_, outages, told) => {
  expect(of(outages, gone)).toBe(`node1 may lack points ${told}, when its server was not there: ${left}`);
});

test.each<[string, string | undefined]>([
  ["nothing", of([], gone)],
  ["what nobody looked at: its server was there", of([outage(1, { sure: false })], gone)],
  ["what lasts", of([outage(1, { to: null })], gone)],
  ["what a server alone was not there for: nobody else took it", of([outage(1)])],
  ["what another one can still fill", of([outage(1)], twinNode(2, { liveness: "dead" }))],
  ["the same, in the place of one that left", of([outage(1)], gone, twinNode(3))],
  ["what a member without the role left behind", of([outage(1)], { ...gone, roles: ["witness"] })],
])("nothing is said of %s", (_, told) => expect(told).toBeUndefined());
