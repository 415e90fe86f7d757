import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { News, Packet, Statement } from "../../src/cluster/gossip/types.ts";
import { generateKey } from "../../src/cluster/pki.ts";
import { readRecord, signRecord } from "../../src/cluster/record.ts";
import { log } from "../../src/core/log.ts";
import { passing, SimNetwork, simCluster, simJoin, simWitnesses, type SimNode } from "./sim.ts";

const level = log.level;
beforeEach(() => void (log.level = 0));
afterEach(() => void (log.level = level));

/**
 * Who has gossip's key and nothing else: it seals what it likes in any member's name. What the seal keeps out is
 * gossip/seal.test.ts; here there is none.
 */
class Thief {
  readonly #send: (to: number, packet: Packet) => void;
  readonly #nodes: readonly SimNode[];

  constructor(net: SimNetwork, as: number, nodes: readonly SimNode[]) {
    this.#nodes = nodes;
    const addressOf = (index: number) => nodes.find((node) => node.agent.self.index === index)?.address;
    const packets = net.packets("10.0.0.250")({ self: as, addressOf, receive: () => undefined });
    this.#send = (to, packet) => packets.send(to, packet);
  }

  say(statements: Statement[], news: News[] = []): void {
    for (const node of this.#nodes) {
      const packet: Packet = { kind: "gossip", incarnation: 1, digest: "x", statements, news };
      if (node.membership) this.#send(node.agent.self.index, packet);
    }
  }
}

/** What it says of one: each time as much as it can be. */
function slander(index: number, incarnation: number): Statement[] {
  return (["suspect", "dead"] as const).flatMap((state) =>
    [1, 2, 3, 4].map((from) => ({ index, state, incarnation, from })),
  );
}

/** The last that there are, of which the victim must not take the last but one for its own. */
const last = [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER];

const states = (node: SimNode) => Object.values(node.view());

describe("with gossip's key alone", () => {
  test("members that are not close are held alive again as soon as the slander ends, and after a restart, too", async () => {
    const { net, nodes } = await simWitnesses(8);
    const thief = new Thief(net, 3, nodes);
    for (let round = 1; round <= 100; round++) {
      for (const incarnation of [2, round, 900_000 * round, ...last]) thief.say(slander(5, incarnation));
      await net.clock.run(100);
    }
    await net.clock.run(10_000);
    for (const node of nodes) expect(states(node)).toEqual(Array(8).fill("alive"));
    const slandered = nodes[4] as SimNode;
    await passing(net, slandered.stop());
    await net.clock.run(20_000);
    await slandered.start();
    await net.clock.run(20_000);
    for (const node of nodes) expect(states(node)).toEqual(Array(8).fill("alive"));
  });

  test("a pair and its witness do not so much as suspect each other", async () => {
    const net = new SimNetwork(3);
    const one = await simCluster(net);
    const { token } = await passing(net, one.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] }));
    await passing(net, one.agent.takeRoles(["mysql"]));
    const two = await passing(net, simJoin(net, one, token, "n2", "10.0.0.2", ["mysql"]));
    const witness = await passing(net, simJoin(net, one, token, "n3", "10.0.0.3", ["witness"]));
    const nodes = [one, two, witness];
    await net.clock.run(3_000);
    const seen = new Set<string>();
    for (const node of nodes) node.agent.onChange(() => states(node).forEach((state) => seen.add(state)));
    const thief = new Thief(net, 3, nodes);
    for (let round = 1; round <= 100; round++) {
      thief.say([...slander(1, round), ...slander(2, round)].slice(0, 12));
      await net.clock.run(100);
    }
    for (const node of nodes) expect(states(node)).toEqual(["alive", "alive", "alive"]);
    expect([...seen]).not.toContain("dead");
    expect([...seen]).not.toContain("suspect");
  });

  test("no record, spec, token or member is made up", async () => {
    const { net, nodes } = await simWitnesses(6);
    const [one] = nodes as [SimNode];
    const thief = new Thief(net, 3, nodes);
    const before = JSON.stringify([one.agent.spec(), one.agent.tokens.list()]);
    const record = { ...one.agent.members()[1], incarnation: 99, roleState: { agent: "forged" } };
    const body = signRecord(generateKey().privateKey, "0123456789abcdef", record as never);
    expect(readRecord(body)?.roleState).toEqual({ agent: "forged" });
    for (let round = 0; round < 50; round++) {
      thief.say(
        [],
        [
          { key: "record.2", version: "99.1", body },
          { key: "record.2", version: "99.2" },
          { key: "record.77", version: "1.1", body },
          { key: "documents", version: `made-up-${round}`, body: { spec: "forged" } },
          { key: "spec", version: "9", body: "forged" },
        ],
      );
      await net.clock.run(100);
    }
    await net.clock.run(3_000);
    for (const node of nodes) {
      expect(node.agent.members()).toHaveLength(6);
      expect(node.agent.members()[1]?.roleState).toEqual({});
      expect(states(node)).toEqual(Array(6).fill("alive"));
    }
    expect(JSON.stringify([one.agent.spec(), one.agent.tokens.list()])).toBe(before);
  });
});
