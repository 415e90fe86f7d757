import { expect, test } from "bun:test";
import * as v from "valibot";
import {
  maxNewsBytes,
  maxPacketBytes,
  packet,
  type News,
  type Packet,
  type Statement,
} from "../../../src/cluster/gossip/types.ts";

const statement: Statement = { index: 7, state: "suspect", incarnation: 3, from: 2 };
const full: Packet = {
  kind: "ask",
  seq: 1,
  target: 7,
  incarnation: 4,
  digest: "abc",
  statements: [statement],
  news: [
    { key: "record.7", version: "4.12", body: { name: "node7" } },
    { key: "spec", version: "9" },
  ],
};

test("a packet comes back as it was sent; keys of a newer version are dropped", () => {
  expect(v.parse(packet, { ...full, later: 1 })).toEqual(full);
});

const wrong: [string, unknown][] = [
  ["no object", "ping"],
  ["an unknown kind", { ...full, kind: "shout" }],
  ["a question without a number", { ...full, seq: undefined }],
  ["a negative number", { ...full, seq: -1 }],
  ["nobody to look at", { ...full, target: undefined }],
  ["an index of nobody", { ...full, target: 0 }],
  ["a fraction as incarnation", { ...full, incarnation: 0.5 }],
  ["an incarnation that cannot be raised", { ...full, incarnation: 2 ** 53 }],
  ["a long digest", { ...full, digest: "d".repeat(49) }],
  ["too many statements", { ...full, statements: Array.from({ length: 13 }, () => statement) }],
  ["an unknown state", { ...full, statements: [{ ...statement, state: "left" }] }],
  ["a strange key", { ...full, news: [{ key: "../spec", version: "1" }] }],
  ["a long version", { ...full, news: [{ key: "spec", version: "1".repeat(101) }] }],
];
test.each(wrong)("refused: %s", (_, value) => {
  expect(v.safeParse(packet, value).success).toBe(false);
});

const widest = { index: 99_999, state: "suspect", incarnation: 2 ** 40, from: 99_999 } as const;
const long = {
  ...full,
  seq: 2 ** 32 - 1,
  target: 99_999,
  incarnation: 2 ** 40,
  digest: "d".repeat(48),
  news: [],
};

test("as many statements as a packet may have fit into it", () => {
  const ask = { ...long, statements: Array.from({ length: 12 }, () => widest) };
  expect(v.safeParse(packet, ask).success).toBe(true);
  expect(JSON.stringify(ask).length).toBeLessThanOrEqual(maxPacketBytes);
});

test("the largest piece of news fits, with a statement beside it", () => {
  const item: News = { key: "record.7", version: "1", body: "" };
  const news = [{ ...item, body: "b".repeat(maxNewsBytes - JSON.stringify(item).length) }];
  expect(JSON.stringify({ ...long, statements: [widest], news }).length).toBeLessThanOrEqual(maxPacketBytes);
});
