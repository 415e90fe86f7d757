import { expect, test } from "bun:test";
import { stageOf } from "../../src/cluster/gossip/keyring.ts";
import { seeded } from "../cluster/support.ts";
import { SimCluster } from "./cluster.ts";
import { fair } from "./network.ts";
import { SealedWire } from "./sealed.ts";

const key = (fill: number) => Buffer.alloc(32, fill).toString("base64");

function sealedCluster(size: number): { cluster: SimCluster; wire: SealedWire; deaths: Set<string> } {
  const cluster = new SimCluster(size, seeded(1));
  const wire = new SealedWire(cluster.agenda, cluster.members, key(1));
  cluster.sealing = wire;
  cluster.start();
  expect(cluster.runUntil(30_000, () => cluster.disagreement(cluster.running) === undefined)).toBeDefined();
  cluster.run(10_000);
  const deaths = new Set<string>();
  cluster.changed = ({ index, engine }) => {
    for (const other of cluster.members) if (engine?.state(other) === "dead") deaths.add(`${index} ${other}`);
  };
  return { cluster, wire, deaths };
}

test("keys are rotated on a bad network, each node in its own time, and nobody is missed or misses news", () => {
  const { cluster, wire, deaths } = sealedCluster(12);
  cluster.network.weather = { ...fair, loss: 0.1, twice: 0.05, jitterMs: 20 };
  const ids = [wire.ring(1).primary];
  for (let version = 1; version <= 6; version++) {
    for (const node of cluster.members)
      cluster.agenda.after(5_000 * cluster.random(), () =>
        wire.advance(node, key(1 + Math.ceil(version / 3))),
      );
    for (let second = 0; second < 8; second++) {
      cluster.node(1 + (second % 12)).update(`fact.${1 + (second % 12)}`, second);
      cluster.run(1_000);
    }
    ids.push(wire.ring(1).primary);
  }
  expect(new Set(ids).size).toBe(3);
  expect(cluster.members.map((node) => stageOf(wire.ring(node)))).toEqual(
    cluster.members.map(() => "settled"),
  );
  expect(wire.refused.key).toBe(0);
  expect([...deaths]).toEqual([]);
  expect(cluster.runUntil(5_000, () => cluster.disagreement(cluster.running) === undefined)).toBeDefined();
});

test("a member that has another key than all others is reached over TCP and says that datagrams are blocked", () => {
  const { cluster, wire, deaths } = sealedCluster(6);
  for (let stage = 0; stage < 3; stage++)
    for (const node of cluster.members) if (node !== 4) wire.advance(node, key(2));
  cluster.node(1).update("fact.1", "new");
  expect(cluster.runUntil(6_000, () => cluster.node(4).items.get("fact.1")?.version === 1)).toBeDefined();
  expect(cluster.runUntil(10_000, () => cluster.node(4).engine?.udpBlocked === true)).toBeDefined();
  cluster.run(60_000);
  expect(wire.refused.key).toBeGreaterThan(0);
  expect([...deaths]).toEqual([]);
});

test("a node whose wall clock is five minutes off goes on over TCP", () => {
  const { cluster, wire, deaths } = sealedCluster(6);
  wire.setClock(2, 300_000);
  expect(cluster.runUntil(10_000, () => cluster.node(2).engine?.udpBlocked === true)).toBeDefined();
  cluster.run(60_000);
  expect(wire.refused.clock).toBeGreaterThan(0);
  expect([...deaths]).toEqual([]);
  wire.setClock(2, 0);
  expect(cluster.runUntil(10_000, () => cluster.node(2).engine?.udpBlocked === false)).toBeDefined();
});

test("datagrams that are played back, to whom they were sent and to others, are refused one and all", () => {
  const { cluster, wire } = sealedCluster(6);
  const before = { ...wire.refused };
  const recorded = [...wire.recorded];
  expect(recorded.length).toBeGreaterThan(200);
  for (const { to, bytes } of recorded) cluster.node(to).sealed(bytes);
  expect(wire.refused.replayed - before.replayed).toBe(recorded.length);
  for (const { to, bytes } of recorded.slice(0, 50)) cluster.node(to === 1 ? 2 : 1).sealed(bytes);
  const { forged, sender } = wire.refused;
  expect(forged + sender - before.forged - before.sender).toBe(50);
});
