import { expect, test } from "bun:test";
import { lacking, otherNode } from "../../../../src/roles/minio/mirror/other.ts";
import { mirrorWell, storeNode, type Mirror, type Said } from "../context.ts";

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
  const [self, member] = [storeNode(1), storeNode(2, { mirror: { ...mirrorWell, ...mirror }, ...said })];
  const other = otherNode(self, [self, member]);
  expect(other && lacking(other)).toBe(expected);
});
