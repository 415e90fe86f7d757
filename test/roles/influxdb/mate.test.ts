import { expect, test } from "bun:test";
import { isWhole, overallAway, twinOf } from "../../../src/roles/influxdb/mate.ts";
import { publishedBy } from "../../../src/roles/influxdb/published.ts";
import { twinNode, type Said } from "./context.ts";

const gap = {
  since: "2026-11-01T00:00:00.000Z",
  away: 64,
  done: 0,
  trouble: null,
  remedy: null,
  busy: true,
};

test.each<[string, Said, boolean]>([
  ["has everything", {}, true],
  ["is looking at what nobody is sure of, as each minute", { gap: { ...gap, away: 0, overall: 0 } }, true],
  ["lacks something", { gap: { ...gap, overall: 64 } }, false],
  ["lacks something of one bucket", { gap: { ...gap, overall: 0 } }, false],
  ["may not have it", { eligible: false }, false],
  ["has said nothing", { silent: true }, false],
])("the VIP goes to a node for good or not: it %s", (_, says, isIt) => {
  const [self, other] = [twinNode(1), twinNode(2, says)];
  const twin = twinOf(self, [self, other]);
  expect(twin && isWhole(twin)).toBe(isIt);
});

test.each<[string, Said, number]>([
  ["nothing", {}, 0],
  ["one bucket alone", { gap: { ...gap, overall: 0 } }, 0],
  ["all, and one bucket for longer", { gap: { ...gap, overall: 4 } }, 4],
  ["an older agent does not tell it apart", { gap }, 64],
])("what it lacks of all buckets: %s", (_, says, seconds) => {
  const published = publishedBy(twinNode(2, says));
  expect(published && overallAway(published)).toBe(seconds);
});
