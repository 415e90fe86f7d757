import { expect, test } from "bun:test";
import {
  inUse,
  isWhole,
  lacking,
  mayCompare,
  overallAway,
  twinOf,
} from "../../../src/roles/influxdb/mate.ts";
import type { Importance } from "../../../src/roles/influxdb/outages.ts";
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

test.each<[string, Said, string | undefined]>([
  ["has everything", {}, undefined],
  ["is filled", { gap: { ...gap, away: 4 } }, " to have everything"],
  ["may lack something, of which nobody is sure", { gap: { ...gap, away: 0 } }, undefined],
  [
    "lacks only what one bucket is held up for",
    { gap: { ...gap, overall: 0, trouble: "kept for 7d" } },
    undefined,
  ],
  [
    "is filled, and says why that does not go on",
    { gap: { ...gap, overall: 4, trouble: "no room" } },
    " to have everything: no room",
  ],
  ["is down", { state: "down" }, " to have everything"],
  [
    "is down, and says why",
    { state: "down", detail: "its disk is full" },
    " to have everything: its disk is full",
  ],
  ["is not one of the twins yet", { joined: false }, " to have everything"],
  ["has said nothing", { silent: true }, " to have everything"],
  ["is dead", { liveness: "dead" }, ", which is not heard"],
])("whether clients can be left to the other one alone: it %s", (_, says, expected) => {
  const [self, other] = [twinNode(1), twinNode(2, says)];
  const twin = twinOf(self, [self, other]);
  expect(twin && lacking(twin)).toBe(expected);
});

const quiet = { ...gap, away: 0, busy: false };
const looking = { ...gap, away: 0 };

test.each<[string, Said, Importance[], Importance[]]>([
  ["has everything", {}, [0, 1, 2], [0, 1, 2]],
  ["does nothing", { gap: quiet }, [0, 1, 2], [0, 1, 2]],
  ["lacks something, and waits", { gap: { ...gap, busy: false } }, [0, 1, 2], [0, 1, 2]],
  ["looks at what nobody is sure of", { gap: looking }, [1, 2], [2]],
  ["is filled", { gap }, [2], []],
  ["is filled in one bucket alone", { gap: { ...gap, overall: 0 } }, [1, 2], [2]],
])("what is compared beside the other one, which %s", (_, says, first, second) => {
  const members = [twinNode(1, says), twinNode(2, says)] as const;
  const may = (own: 0 | 1) => {
    const twin = twinOf(members[own], members);
    return ([0, 1, 2] as const).filter((mine) => twin && mayCompare(mine, twin));
  };
  expect([may(0), may(1)]).toEqual([first, second]);
});

test.each<[Said["phase"], boolean]>([
  ["joined", false],
  ["installed", false],
  ["configured", true],
  ["ready", true],
])("clients may be led to one that is %s: %p", (phase, expected) => {
  const [self, other] = [twinNode(1), twinNode(2, phase && { phase })];
  expect(inUse(twinOf(self, [self, other])) !== undefined).toBe(expected);
});
