import { expect, test } from "bun:test";
import { Dissemination, retransmissions } from "../../../src/cluster/gossip/dissemination.ts";

const room = { count: 3, bytes: 100 };

function queue(...items: string[]): Dissemination<string> {
  const dissemination = new Dissemination<string>(() => true);
  for (const item of items) dissemination.add(item, item, 10, 0);
  return dissemination;
}

test("each item is taken λ · ln(n + 1) times and no more", () => {
  const items = queue("a");
  let times = 0;
  while (items.take(room, 12, 0).items.length > 0) times++;
  expect(times).toBe(retransmissions(12));
  expect(times).toBe(8);
  expect(items.size).toBe(0);
});

test("those that were sent least come first, of them the newest", () => {
  const items = queue("a", "b", "c", "d");
  expect(items.take(room, 12, 0).items).toEqual(["d", "c", "b"]);
  expect(items.take(room, 12, 0).items).toEqual(["a", "d", "c"]);
});

test("a packet holds so many bytes, and a smaller item goes before one that has no room", () => {
  const items = queue("small");
  items.add("large", "large", 95, 0);
  expect(items.take(room, 12, 0)).toEqual({ items: ["large"], bytes: 96 });
  expect(items.take({ count: 3, bytes: 90 }, 12, 0).items).toEqual(["small"]);
});

test("what is newer of the same takes its place and is sent as often again", () => {
  const items = new Dissemination<string>(() => true);
  items.add("spec", "first", 10, 0);
  for (let i = 0; i < 7; i++) items.take(room, 12, 0);
  items.add("spec", "second", 10, 0);
  for (let i = 0; i < 8; i++) expect(items.take(room, 12, 0).items).toEqual(["second"]);
  expect(items.size).toBe(0);
});

test("what nobody could be told of for ten seconds is old, and what holds no more is not said", () => {
  const items = queue("a");
  expect(items.take(room, 12, 10_001).items).toEqual([]);
  const statements = new Dissemination<string>((item) => item !== "over");
  for (const item of ["over", "so"]) statements.add(item, item, 10, 0);
  expect(statements.take(room, 12, 0).items).toEqual(["so"]);
  expect(statements.size).toBe(1);
});

test("it holds 1,024 items; the oldest give way", () => {
  const items = new Dissemination<number>(() => true);
  for (let i = 0; i < 1_100; i++) items.add(`${i}`, i, 10, 0);
  expect(items.size).toBe(1_024);
});
