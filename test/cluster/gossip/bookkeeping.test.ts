import { expect, test } from "bun:test";
import { Blockage } from "../../../src/cluster/gossip/blockage.ts";
import { LocalHealth } from "../../../src/cluster/gossip/health.ts";
import { Notices } from "../../../src/cluster/gossip/notices.ts";
import { PushPull } from "../../../src/cluster/gossip/push-pull.ts";
import { Relays } from "../../../src/cluster/gossip/relays.ts";

test("ten notices of an item fetch it once, another version at once, and the same again after two seconds", () => {
  const notices = new Notices();
  expect(notices.begin("spec", "1", 0)).toBe(true);
  expect(notices.begin("spec", "1", 1_999)).toBe(false);
  expect(notices.begin("spec", "2", 1_999)).toBe(true);
  expect(notices.begin("spec", "2", 3_999)).toBe(true);
  notices.done("spec");
  expect(notices.begin("spec", "2", 3_999)).toBe(true);
  for (let i = 0; i < 2_000; i++) notices.begin(`fact.${i}`, "1", 0);
  expect(notices.size).toBe(1_024);
});

test("a look for another one is answered by its target alone, once, and is over after a while", () => {
  const relays = new Relays();
  expect(relays.add(7, { by: 1, theirs: 70, target: 3 }, 0)).toBe(true);
  expect(relays.add(8, { by: 2, theirs: 80, target: 3 }, 100)).toBe(true);
  expect(relays.answered(7, 4)).toBeUndefined();
  expect(relays.answered(7, 3)).toMatchObject({ by: 1, theirs: 70 });
  expect(relays.answered(7, 3)).toBeUndefined();
  expect(relays.deadline()).toBe(350);
  expect(relays.expire(349)).toEqual([]);
  expect(relays.expire(350)).toMatchObject([{ by: 2, theirs: 80 }]);
  expect(relays.size).toBe(0);
});

test("who floods with questions gets no answer to the rest", () => {
  const relays = new Relays();
  for (let i = 0; i < 256; i++) expect(relays.add(i, { by: 1, theirs: i, target: 3 }, 0)).toBe(true);
  expect(relays.add(256, { by: 1, theirs: 256, target: 3 }, 0)).toBe(false);
});

test("two probes that only TCP answered turn to TCP for that peer, eight in a row for all; a datagram turns back", () => {
  const blockage = new Blockage();
  blockage.onlyTcp(1, 0);
  expect(blockage.way(1)).toBe("udp");
  blockage.onlyTcp(1, 0);
  expect(blockage.way(1)).toBe("tcp");
  expect(blockage.way(2)).toBe("udp");
  for (let i = 3; i <= 8; i++) blockage.onlyTcp(i, 0);
  expect(blockage.udpBlocked).toBe(true);
  expect(blockage.way(2)).toBe("tcp");
  blockage.passed(1, false);
  expect([blockage.udpBlocked, blockage.way(2), blockage.way(1)]).toEqual([false, "udp", "tcp"]);
  blockage.passed(1, true);
  expect(blockage.way(1)).toBe("udp");
});

test("whether datagrams come in is told by those that came since they began to fail, and of late", () => {
  const blockage = new Blockage();
  blockage.came(900);
  for (let i = 1; i <= 8; i++) blockage.onlyTcp(i, 1_000 * i);
  expect(blockage.direction(8_000)).toBe("inward");
  blockage.came(8_100);
  expect(blockage.direction(8_100)).toBe("outward");
  expect(blockage.direction(18_100)).toBe("outward");
  expect(blockage.direction(18_101)).toBe("inward");
  blockage.passed(1, true);
  expect(blockage.direction(18_101)).toBeUndefined();
});

test("bad health makes limits up to nine times as long, and mends step by step", () => {
  const health = new LocalHealth();
  health.improve();
  expect(health.factor).toBe(1);
  health.worsen(3);
  expect(health.factor).toBe(4);
  health.worsen(30);
  expect(health.factor).toBe(9);
  health.improve();
  expect(health.factor).toBe(8);
});

test("a strange digest is looked into once nothing new comes any more, and less often while that does not help", () => {
  const pushPull = new PushPull(0, () => 0);
  pushPull.news(10_000);
  expect(pushPull.strange(11_999)).toBe(false);
  const times: number[] = [];
  for (let now = 12_000; now < 40_000; now += 100) if (pushPull.strange(now)) times.push(now - 12_000);
  expect(times).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
  pushPull.same();
  expect(pushPull.strange(58_000)).toBe(true);
  expect(pushPull.strange(59_000)).toBe(true);
});

test("each compares all it knows at its start and then every 30 to 40 s", () => {
  const pushPull = new PushPull(0, () => 0.5);
  expect(pushPull.due(0)).toBe(true);
  expect(pushPull.due(34_999)).toBe(false);
  expect(pushPull.due(35_000)).toBe(true);
  pushPull.soon(36_000);
  expect(pushPull.due(36_000)).toBe(true);
});
