import { expect, test } from "bun:test";
import type { Packet } from "../../src/cluster/gossip/types.ts";
import { seeded } from "../cluster/support.ts";
import { SimCluster } from "./cluster.ts";
import { fair } from "./network.ts";
import type { SimNode } from "./node.ts";

/** Met each other, and quiet. */
function settled(size: number, seed = 1): SimCluster {
  const cluster = new SimCluster(size, seeded(seed));
  cluster.start();
  expect(cluster.runUntil(30_000, () => cluster.disagreement(cluster.running) === undefined)).toBeDefined();
  cluster.run(15_000);
  return cluster;
}

/** Who was held dead by whom from now on, as `A B`: A held B dead. */
function deathsIn(cluster: SimCluster): Set<string> {
  const deaths = new Set<string>();
  cluster.changed = (node) => {
    for (const { index } of cluster.nodes)
      if (node.engine?.state(index) === "dead") deaths.add(`${node.index} ${index}`);
  };
  return deaths;
}

function isolate(cluster: SimCluster, { index }: SimNode): void {
  for (const other of cluster.members) {
    cluster.network.cut(index, other);
    cluster.network.cut(other, index);
  }
}

function known(cluster: SimCluster, key: string, version: number): boolean {
  return cluster.running.every(({ items }) => items.get(key)?.version === version);
}

test("agents that start within a second of each other meet without a suspicion that somebody had to refute", () => {
  const cluster = settled(12);
  for (const { engine } of cluster.running) {
    for (const said of engine?.statements() ?? [])
      expect(said).toMatchObject({ state: "alive", incarnation: 1 });
  }
});

test("a dead member is suspect first, and then dead, everywhere", () => {
  const cluster = settled(12);
  cluster.node(5).stop();
  const others = cluster.running;
  const all = (state: string) => () => others.every(({ engine }) => engine?.state(5) === state);
  expect(cluster.runUntil(3_000, all("suspect"))).toBeDefined();
  expect(cluster.runUntil(4_000, all("dead"))).toBeDefined();
  cluster.node(5).start();
  expect(cluster.runUntil(2_000, all("alive"))).toBeDefined();
});

test("whoever is held suspect or dead is told so in every packet to it", () => {
  const cluster = settled(6);
  cluster.node(5).stop();
  let packets = 0;
  cluster.sent = (from, to, { statements }) => {
    const state = cluster.node(from).engine?.state(5);
    if (to !== 5 || state === "alive") return;
    packets++;
    expect(statements[0]).toMatchObject({ index: 5, state });
  };
  cluster.run(20_000);
  expect(packets).toBeGreaterThan(10);
});

test("a node that pauses for two seconds is not dead, nor are the others to one that pauses for a minute", () => {
  const cluster = settled(12);
  const deaths = deathsIn(cluster);
  for (let i = 1; i <= 12; i++) {
    cluster.node(i).pause(2_000);
    cluster.run(5_000);
  }
  expect([...deaths]).toEqual([]);
  cluster.node(3).pause(60_000);
  cluster.run(70_000);
  expect([...deaths].filter((pair) => !pair.endsWith(" 3"))).toEqual([]);
  expect(cluster.disagreement(cluster.running)).toBeUndefined();
});

test("a link that is cut one way, or both, is got round by others: nobody is even suspected", () => {
  const cluster = settled(12);
  const deaths = new Set<string>();
  cluster.changed = ({ index, engine }) => {
    for (const other of cluster.members)
      if (engine?.state(other) !== "alive") deaths.add(`${index} ${other}`);
  };
  cluster.network.cut(1, 2);
  cluster.network.cut(3, 4);
  cluster.network.cut(4, 3);
  cluster.run(120_000);
  expect([...deaths]).toEqual([]);
});

test("a node whose datagrams are dropped says so, is not dead, and hears and tells news all the same", () => {
  const cluster = settled(12);
  const deaths = deathsIn(cluster);
  const blocked = cluster.node(7);
  cluster.network.blockUdp(7);
  expect(cluster.runUntil(10_000, () => blocked.engine?.udpBlocked === true)).toBeDefined();
  cluster.run(60_000);
  cluster.node(1).update("fact.1", "from another one");
  expect(cluster.runUntil(6_000, () => known(cluster, "fact.1", 1))).toBeDefined();
  blocked.update("fact.7", "from the blocked one");
  expect(cluster.runUntil(6_000, () => known(cluster, "fact.7", 1))).toBeDefined();
  expect(cluster.nodes.filter(({ engine }) => engine?.udpBlocked)).toEqual([blocked]);
  expect([...deaths]).toEqual([]);
  cluster.network.heal();
  expect(cluster.runUntil(10_000, () => blocked.engine?.udpBlocked === false)).toBeDefined();
});

test.each(["inward", "outward"] as const)(
  "a node whose datagrams are dropped %s alone says which, in bad weather too, and nobody else does for long",
  (which) => {
    for (const size of [2, 3, 12]) {
      const cluster = settled(size);
      cluster.network.weather = { ...fair, loss: 0.1 };
      cluster.network.blockUdp(2, which);
      const { engine } = cluster.node(2);
      expect(cluster.runUntil(20_000, () => engine?.blocked !== undefined)).toBeDefined();
      expect(engine?.blocked).toBe(which);
      for (let i = 0; i < 60; i++) {
        cluster.run(1_000);
        // Of two, the other one's are dropped as well: the other way round.
        for (const { index, engine: its } of cluster.running)
          if (index === 2 || size === 2)
            expect([undefined, (index === 2) === (which === "inward") ? "inward" : "outward"]).toContain(
              its?.blocked,
            );
          else expect(its?.blocked).toBeUndefined();
      }
      expect(engine?.blocked).toBe(which);
    }
  },
);

test("a cluster without datagrams comes together, passes news on, and finds its dead", () => {
  const cluster = new SimCluster(12, seeded(1));
  for (const index of cluster.members) cluster.network.blockUdp(index);
  cluster.start();
  const agreed = () => cluster.disagreement(cluster.running) === undefined;
  cluster.run(2_000);
  expect(cluster.runUntil(30_000, agreed)).toBeDefined();
  expect(
    cluster.runUntil(30_000, () => cluster.running.every(({ engine }) => engine?.udpBlocked)),
  ).toBeDefined();
  const deaths = deathsIn(cluster);
  cluster.node(1).update("fact.1", "f".repeat(3_000));
  expect(cluster.runUntil(15_000, () => known(cluster, "fact.1", 1))).toBeDefined();
  cluster.run(60_000);
  expect([...deaths]).toEqual([]);
  cluster.node(5).stop();
  expect(cluster.runUntil(30_000, agreed)).toBeDefined();
});

test("a tenth of the packets lost is no sign that datagrams are blocked", () => {
  const cluster = settled(12);
  cluster.network.weather = { ...fair, loss: 0.1 };
  let said = false;
  cluster.changed = ({ engine }) => (said ||= engine?.udpBlocked === true);
  cluster.run(600_000);
  expect(said).toBe(false);
});

test("a node that was cut off holds all others dead, and nobody dies of its word", () => {
  const cluster = settled(12);
  isolate(cluster, cluster.node(4));
  cluster.run(120_000);
  for (const { index } of cluster.nodes)
    if (index !== 4) expect(cluster.node(4).engine?.state(index)).toBe("dead");
  const deaths = deathsIn(cluster);
  for (const pair of cluster.members.map((index) => `${index} 4`)) deaths.delete(pair);
  cluster.network.heal();
  expect(cluster.runUntil(10_000, () => cluster.disagreement(cluster.running) === undefined)).toBeDefined();
  expect([...deaths].filter((pair) => !pair.startsWith("4 ") && !pair.endsWith(" 4"))).toEqual([]);
});

test("what was made on either side of a partition is everywhere soon after it", () => {
  const cluster = settled(12);
  for (const a of cluster.members)
    for (const b of cluster.members) if (a <= 6 !== b <= 6) cluster.network.cut(a, b);
  cluster.run(60_000);
  cluster.node(1).update("fact.1", "small");
  cluster.node(12).update("fact.12", "f".repeat(3_000));
  cluster.run(30_000);
  cluster.network.heal();
  expect(cluster.runUntil(10_000, () => cluster.disagreement(cluster.running) === undefined)).toBeDefined();
});

test("a large item travels as a notice and is fetched once by each", () => {
  const cluster = settled(12);
  let bodies = 0;
  let largest = 0;
  cluster.sent = (_, __, packet) => {
    largest = Math.max(largest, JSON.stringify(packet).length);
    bodies += packet.news.filter(({ body }) => body !== undefined).length;
  };
  let stored = 0;
  cluster.stored = () => stored++;
  cluster.node(1).update("spec", "s".repeat(100_000));
  expect(cluster.runUntil(2_000, () => known(cluster, "spec", 1))).toBeDefined();
  cluster.run(10_000);
  expect(stored).toBe(12);
  expect(bodies).toBe(0);
  expect(largest).toBeLessThanOrEqual(1_300);
});

test("an item that all gossip missed is found by the digest", () => {
  const cluster = settled(12);
  // As if no packet had brought it.
  cluster.node(3).store("fact.3", 1, "quiet");
  expect(cluster.runUntil(10_000, () => known(cluster, "fact.3", 1))).toBeDefined();
});

test("no packet is larger than a datagram holds, with as much to say as there can be", () => {
  const cluster = settled(60);
  let largest = 0;
  cluster.sent = (_, __, packet) => (largest = Math.max(largest, JSON.stringify(packet).length));
  for (let i = 1; i <= 30; i++) cluster.node(i).stop();
  for (let i = 31; i <= 60; i++) cluster.node(i).update(`fact.${i}`, "f".repeat(i * 16));
  cluster.run(20_000);
  expect(largest).toBeGreaterThan(1_000);
  expect(largest).toBeLessThanOrEqual(1_300);
});

test("who is no member is neither heard nor answered", () => {
  const cluster = settled(3);
  const said = { index: 2, state: "dead", incarnation: 1, from: 9 } as const;
  const common = { incarnation: 1, digest: "?", statements: [said], news: [] };
  expect(cluster.node(1).receive({ kind: "ping", seq: 1, ...common }, 9, "udp")).toBeUndefined();
  expect(cluster.node(1).engine?.state(2)).toBe("alive");
  // Nor is one believed of whom a member tells.
  expect(cluster.node(1).receive({ kind: "ping", seq: 1, ...common }, 3, "udp")).toBeDefined();
  expect(cluster.node(1).engine?.state(2)).toBe("alive");
});

test("a stolen node that says of another one that it is dead, in all its lives, does not kill it", () => {
  const cluster = settled(12);
  const deaths = deathsIn(cluster);
  for (const incarnation of [1, 2, 1_000, 999_999, 2_000_000, Number.MAX_SAFE_INTEGER]) {
    for (const state of ["suspect", "dead", "dead"] as const) {
      const statements = [5, 6].map((from) => ({ index: 2, state, incarnation, from }));
      const packet: Packet = { kind: "gossip", incarnation: 1, digest: "?", statements, news: [] };
      for (const index of cluster.members) if (index !== 9) cluster.node(index).receive(packet, 9, "udp");
      cluster.run(1_000);
    }
  }
  expect(cluster.runUntil(10_000, () => cluster.disagreement(cluster.running) === undefined)).toBeDefined();
  expect([...deaths]).toEqual([]);
});
