import { expect, test } from "bun:test";
import { lacking, otherNode } from "../../../../src/roles/minio/mirror/other.ts";
import { newStanding } from "../../../../src/roles/minio/mirror/standing.ts";
import type { Published } from "../../../../src/roles/minio/published.ts";
import { storeNode, type Said } from "../context.ts";

type Mirror = NonNullable<Published["mirror"]>;
const well: Mirror = {
  ...newStanding,
  current: true,
  up: true,
  enabled: true,
  reached: true,
  trouble: null,
};

test.each<[string, Partial<Mirror>, Said, string | undefined]>([
  ["serves, too", {}, {}, undefined],
  ["is dead", {}, { liveness: "dead" }, ", which is not heard"],
  ["has said nothing", {}, { silent: true }, " to have everything"],
  ["has a server that is down", { up: false }, {}, " to have everything"],
  ["is behind", { current: false }, {}, " to have everything"],
  [
    "is behind, and says how far",
    { current: false },
    { detail: "3 objects are still to come" },
    " to have everything: 3 objects are still to come",
  ],
])("whether clients can be left to the other store alone: it %s", (_, mirror, said, expected) => {
  const [self, member] = [storeNode(1), storeNode(2, { mirror: { ...well, ...mirror }, ...said })];
  const other = otherNode(self, [self, member]);
  expect(other && lacking(other)).toBe(expected);
});
