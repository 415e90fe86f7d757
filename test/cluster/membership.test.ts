import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { removed } from "../../src/cluster/admission.ts";
import { log } from "../../src/core/log.ts";
import { passing, SimNetwork, simCluster, simJoin, simWitnesses, SimNode, type Simulation } from "./sim.ts";
import { codeOf } from "./support.ts";

const level = log.level;
beforeEach(() => void (log.level = 0));
afterEach(() => void (log.level = level));

async function simulate(count: number, seed = 1): Promise<Simulation> {
  const net = new SimNetwork(seed);
  const first = await simCluster(net);
  const { token } = await passing(net, first.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] }));
  const nodes = [first];
  for (let n = 2; n <= count; n++) {
    nodes.push(await passing(net, simJoin(net, first, token, `n${n}`, `10.0.0.${n}`, ["server"])));
  }
  await net.clock.run(2_000);
  return { net, nodes, token };
}

/** True when all say the same of everybody, record by record. */
function agree(nodes: readonly SimNode[]): boolean {
  const said = nodes.map((node) =>
    JSON.stringify([
      node.agent.spec(),
      node.agent.members().map((member) => ({ ...member, silentMs: 0 })),
      node.agent.tokens.list().map((token) => ({ ...token, used_by: [...token.used_by].sort() })),
    ]),
  );
  return new Set(said).size === 1;
}

function addresses(nodes: readonly SimNode[]): string[] {
  return nodes.map((node) => node.address);
}

describe("five nodes", () => {
  test("know each other and agree", async () => {
    const { nodes } = await simulate(5);
    expect(nodes[4]?.view()).toEqual({ n1: "alive", n2: "alive", n3: "alive", n4: "alive", n5: "alive" });
    expect(agree(nodes)).toBe(true);
  });

  test("an update is at everybody alive before it resolves", async () => {
    const { net, nodes } = await simulate(5);
    await passing(net, (nodes[2] as SimNode).agent.update({ roleState: { mysql: { term: 7 } } }));
    for (const node of nodes) expect(node.agent.members()[2]?.roleState).toEqual({ mysql: { term: 7 } });
  });

  test("a cut is seen from both sides within 1.3 s, and healed within 3 s", async () => {
    const { net, nodes } = await simulate(5);
    const [left, right] = [nodes.slice(0, 2), nodes.slice(2)];
    net.cut(addresses(left), addresses(right));
    await net.clock.run(1_300);
    for (const node of left) {
      expect(node.view()).toEqual({ n1: "alive", n2: "alive", n3: "dead", n4: "dead", n5: "dead" });
    }
    for (const node of right) {
      expect(node.view()).toEqual({ n1: "dead", n2: "dead", n3: "alive", n4: "alive", n5: "alive" });
    }
    const [a, b] = [nodes[0] as SimNode, nodes[4] as SimNode];
    await passing(
      net,
      Promise.all([a.agent.update({ phase: { server: "ready" } }), b.agent.update({ phase: {} })]),
    );
    net.heal();
    await net.clock.run(3_000);
    expect(Object.values(a.view())).toEqual(Array(5).fill("alive"));
    expect(agree(nodes)).toBe(true);
  });

  test("one whose port is closed is alive as long as it is heard, without flapping", async () => {
    const { net, nodes } = await simulate(3);
    const [one, two] = nodes as [SimNode, SimNode, SimNode];
    net.close(two.address);
    await net.clock.run(1_000);
    let changes = 0;
    one.agent.onChange(() => changes++);
    await net.clock.run(5_000);
    expect(one.view()["n2"]).toBe("alive");
    expect(changes).toBe(0);
    expect(await codeOf(passing(net, one.agent.call("n2", "test.echo", {}, 500)))).toBe("peer.unreachable");
    net.heal();
    await net.clock.run(2_000);
    expect(await codeOf(passing(net, one.agent.call("n2", "test.echo", {}, 500)))).toBe("peer.no_method");
  });

  test("what got lost in a cut too short to be noticed is found by the next beats", async () => {
    const { net, nodes } = await simulate(3);
    const [one, two] = nodes as [SimNode, SimNode, SimNode];
    net.cut([one.address], [two.address]);
    void one.agent.update({ roleState: { server: { step: 1 } } });
    await net.clock.run(250);
    net.heal();
    expect(two.agent.members()[0]).toMatchObject({ state: "alive", roleState: {} });
    await net.clock.run(1_000);
    expect(two.agent.members()[0]).toMatchObject({ state: "alive", roleState: { server: { step: 1 } } });
  });

  test("a stopped agent is suspect at once; back, it knows its peers and outranks what was said of it", async () => {
    const { net, nodes } = await simulate(3);
    const [one, two] = nodes as [SimNode, SimNode, SimNode];
    await passing(net, two.stop());
    await net.clock.run(50);
    expect(one.view()["n2"]).toBe("suspect");
    await net.clock.run(1_200);
    expect(one.view()["n2"]).toBe("dead");
    await two.start();
    await net.clock.run(2_000);
    expect(one.agent.members()[1]).toMatchObject({ state: "alive", incarnation: 2 });
    expect(agree(nodes)).toBe(true);
  });

  test("a node whose state was lost is told again, and goes on above its old incarnation", async () => {
    const { net, nodes } = await simulate(3);
    const [one, two] = nodes as [SimNode, SimNode, SimNode];
    for (let restarts = 0; restarts < 3; restarts++) {
      await passing(net, two.stop());
      await two.start();
      await net.clock.run(1_000);
    }
    await passing(net, two.stop());
    two.forget();
    await two.start();
    await net.clock.run(3_000);
    expect(one.agent.members()[1]).toMatchObject({ state: "alive", incarnation: 5 });
    expect(two.agent.spec().toml).toBe("# 1\n");
    expect(two.agent.self.roles).toEqual(["server"]);
    expect(agree(nodes)).toBe(true);
  });

  test.each([1, 2, 3, 4, 5])("silence is noticed within 50 ms of each limit (seed %i)", async (seed) => {
    const { net, nodes } = await simulate(2, seed);
    const [one, two] = nodes as [SimNode, SimNode];
    await net.clock.run(37 * seed);
    net.cut([one.address], [two.address]);
    const silentWhen = async (state: string) => {
      while (one.view()["n2"] !== state) await net.clock.run(1);
      return one.agent.members()[1]?.silentMs ?? NaN;
    };
    const suspect = await silentWhen("suspect");
    expect(suspect).toBeGreaterThanOrEqual(400);
    expect(suspect).toBeLessThan(452);
    const dead = await silentWhen("dead");
    expect(dead).toBeGreaterThanOrEqual(1_000);
    expect(dead).toBeLessThan(1_052);
  });

  test("a node at rest wakes seven times a second: five for its beats, two for gossip", async () => {
    const { net } = await simulate(2);
    const sleeps = spyOn(net.clock, "sleep");
    await net.clock.run(10_000);
    // Shorter ones are packets on their way.
    const wakeUps = sleeps.mock.calls.filter(([ms]) => ms > 5).length;
    expect(wakeUps).toBeWithin(138, 151);
  });

  test("a paused node does not take the others for dead when it goes on", async () => {
    const { net, nodes } = await simulate(3);
    const states = new Set<string>();
    for (const node of nodes) {
      node.agent.onChange(() => {
        for (const state of Object.values(node.view())) states.add(state);
      });
    }
    net.clock.pause(5_000);
    await net.clock.run(1_000);
    expect(states.has("dead")).toBe(false);
    for (const node of nodes) {
      expect(node.view()).toEqual({ n1: "alive", n2: "alive", n3: "alive" });
      expect(node.agent.pause().ms).toBeWithin(5_000, 5_300);
    }
  });
});

test("two that come back at other addresses do not find each other: taken out and joined afresh, all agree", async () => {
  const { net, nodes, token } = await simulate(5);
  const [one] = nodes as [SimNode];
  const moved: SimNode[] = [];
  for (const [i, node] of nodes.slice(3).entries()) {
    await passing(net, node.stop());
    const { credentials } = node;
    const self = { ...credentials.identity.self, address: `10.0.1.${i + 4}` };
    const identity = { ...credentials.identity, self };
    moved.push(await new SimNode(net, { ...credentials, identity }, node.known()).start());
  }
  const [four, five] = moved as [SimNode, SimNode];
  await net.clock.run(60_000);
  expect([four.view()["n5"], five.view()["n4"]]).toEqual(["dead", "dead"]);

  for (const name of ["n4", "n5"]) await passing(net, one.agent.remove(name));
  await net.clock.run(5_000);
  const anew: SimNode[] = [];
  for (const { name, address, agent } of moved) {
    expect(agent.self.left).toBe(true);
    await passing(net, agent.stop());
    anew.push(await passing(net, simJoin(net, one, token, name, address, ["server"])));
  }
  await net.clock.run(5_000);
  const all = [...nodes.slice(0, 3), ...anew];
  for (const node of all) expect(Object.values(node.view())).toEqual(Array(5).fill("alive"));
  expect(agree(all)).toBe(true);
});

test("an agent that stood still tells who rests on it as soon as it runs again", async () => {
  const { net, nodes } = await simulate(2);
  await net.clock.run(1_000);
  const [node] = nodes as [SimNode];
  const told: number[] = [];
  node.agent.onChange(() => told.push(net.clock.now()));
  const at = net.clock.now();
  net.clock.pause(600);
  await net.clock.run(1_000);
  expect(told[0]).toBeWithin(at + 600, at + 610);
});

describe("what is decided once", () => {
  test("the spec: the second of two editors of one version gets a conflict", async () => {
    const { net, nodes } = await simulate(5);
    const [, two, three] = nodes as [SimNode, SimNode, SimNode];
    const both = Promise.allSettled([
      two.agent.publishSpec("# 2\n", 1),
      three.agent.publishSpec("# 2'\n", 1),
    ]);
    const outcomes = await passing(net, both);
    expect(outcomes.map((o) => o.status).sort()).toEqual(["fulfilled", "rejected"]);
    const failure = outcomes.find((o) => o.status === "rejected")?.reason as { code: string; exit: number };
    expect(failure).toMatchObject({ code: "spec.conflict", exit: 3 });
    await net.clock.run(1_000);
    expect(two.agent.spec().version).toBe(2);
    expect(agree(nodes)).toBe(true);
    expect(await codeOf(passing(net, three.agent.publishSpec("# 3\n", 1)))).toBe("spec.conflict");
    await passing(net, three.agent.publishSpec("# 3\n", 2));
    expect(two.agent.spec()).toMatchObject({ version: 3, toml: "# 3\n", publisher: "n3" });
  });

  test("the last place of a pair, while the one who decides dies", async () => {
    const { net, nodes, token } = await simulate(3);
    const [one, two, three] = nodes as [SimNode, SimNode, SimNode];
    const joins = [6, 7, 8].map((n) =>
      codeOf(simJoin(net, n % 2 ? two : three, token, `n${n}`, `10.0.0.${n}`, ["mysql"])),
    );
    const stop = one.stop();
    const codes = await passing(net, Promise.all([...joins, stop.then(() => "")]));
    expect(codes.filter((code) => code === "nothing was thrown")).toHaveLength(2);
    expect(codes).toContain("join.role_full");
  });

  test("only a witness left: nothing can be decided, and that is said", async () => {
    const { net, nodes, token } = await simulate(1);
    const one = nodes[0] as SimNode;
    const witness = await passing(net, simJoin(net, one, token, "w", "10.0.0.9", ["witness"]));
    await net.clock.run(1_000);
    await passing(net, one.stop());
    await net.clock.run(2_000);
    expect(await codeOf(passing(net, witness.agent.publishSpec("# 2\n", 1)))).toBe("cluster.no_authority");
  });

  test.each([1, 2, 3, 4, 5, 6])(
    "both sides of a cut admit a node: one index, one winner everywhere (%i)",
    async (seed) => {
      const { net, nodes, token } = await simulate(4, seed);
      net.cut([...addresses(nodes.slice(0, 2)), "10.0.0.8"], [...addresses(nodes.slice(2)), "10.0.0.9"]);
      await net.clock.run(1_500);
      const a = await passing(net, simJoin(net, nodes[0] as SimNode, token, "left", "10.0.0.8", ["server"]));
      const b = await passing(net, simJoin(net, nodes[2] as SimNode, token, "right", "10.0.0.9", ["server"]));
      expect([a.agent.self.index, b.agent.self.index]).toEqual([5, 5]);
      net.heal();
      await net.clock.run(5_000);
      const [winner, loser] = a.agent.self.left ? [b, a] : [a, b];
      expect(loser.agent.self.left).toBe(true);
      expect(winner.agent.self.left).toBe(false);
      expect(agree([...nodes, winner])).toBe(true);
      // The loser has no say over the index that is another's now.
      await passing(net, loser.agent.leave());
      await net.clock.run(1_000);
      expect(winner.view()[winner.name]).toBe("alive");
      expect((nodes[0] as SimNode).view()[winner.name]).toBe("alive");
    },
  );
});

test("random cuts, restarts and updates: healed, all agree again (20 schedules)", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { net, nodes } = await simulate(4, seed);
    for (let step = 0; step < 12; step++) {
      const node = nodes[Math.floor(net.random() * nodes.length)] as SimNode;
      const other = nodes[Math.floor(net.random() * nodes.length)] as SimNode;
      const dice = net.random();
      if (dice < 0.3) net.cut([node.address], [other.address]);
      else if (dice < 0.4) net.heal();
      else if (dice < 0.55 && node.membership) await passing(net, node.stop());
      else if (dice < 0.7 && !node.membership) await node.start();
      else if (dice < 0.9 && node.membership) void node.agent.update({ roleState: { server: { step } } });
      else if (node.membership) {
        void node.agent.publishSpec(`# ${step}\n`, node.agent.spec().version).catch(() => undefined);
      }
      await net.clock.run(Math.floor(net.random() * 1_500));
    }
    net.heal();
    for (const node of nodes) if (!node.membership) await node.start();
    await net.clock.run(6_000);
    expect(Object.values((nodes[0] as SimNode).view())).toEqual(Array(4).fill("alive"));
    expect(agree(nodes)).toBe(true);
    for (const node of nodes) await node.stop();
  }
});

/** A pair and its witness. */
async function simPair(seed = 3): Promise<{ net: SimNetwork; nodes: [SimNode, SimNode, SimNode] }> {
  const net = new SimNetwork(seed);
  const one = await simCluster(net);
  const { token } = await passing(net, one.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] }));
  await passing(net, one.agent.takeRoles(["mysql"]));
  const two = await passing(net, simJoin(net, one, token, "n2", "10.0.0.2", ["mysql"]));
  const witness = await passing(net, simJoin(net, one, token, "n3", "10.0.0.3", ["witness"]));
  await net.clock.run(3_000);
  return { net, nodes: [one, two, witness] };
}

describe("a pair and its witness", () => {
  test("a stolen witness that says so to everybody takes nobody out", async () => {
    const { net, nodes } = await simPair();
    const [one, two, witness] = nodes;
    net.steal(witness.address, (method) => {
      if (method === "exchange" || method === "gossip") throw removed("whoever asks");
    });
    await net.clock.run(120_000);
    for (const node of [one, two]) {
      expect(node.agent.self.left).toBe(false);
      expect(node.view()).toMatchObject({ n1: "alive", n2: "alive" });
    }
  });

  test("whom the witness alone hears is dead to the other one, after its restart, too", async () => {
    const { net, nodes } = await simPair();
    const [one, two] = nodes;
    net.cut([one.address], [two.address]);
    await net.clock.run(3_000);
    expect(two.view()["n1"]).toBe("dead");
    await passing(net, two.stop());
    await net.clock.run(500);
    await two.start();
    await net.clock.run(1_300);
    for (let second = 0; second < 20; second++) {
      expect(two.view()["n1"]).toBe("dead");
      await net.clock.run(1_000);
    }
  });

  test("who was not heard since this agent started is silent since then", async () => {
    const { net, nodes } = await simPair();
    const [one, two] = nodes;
    await passing(net, Promise.all([one.stop(), two.stop()]));
    await net.clock.run(60_000);
    await one.start();
    await net.clock.run(700);
    expect(one.agent.members()[1]?.silentMs).toBeWithin(600, 800);
    await net.clock.run(5_000);
    expect(one.agent.members()[1]).toMatchObject({ state: "dead" });
    expect(one.agent.members()[1]?.silentMs).toBeWithin(5_600, 5_900);
  });

  test("what only a witness knows is not asked for again and again", async () => {
    const { net, nodes } = await simPair();
    const [one, two] = nodes;
    net.cut([one.address], [two.address]);
    await net.clock.run(2_000);
    await passing(net, one.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] }));
    await passing(net, one.stop());
    net.heal();
    await net.clock.run(60_000);
    expect(two.agent.tokens.list()).toHaveLength(1);
    net.asked.clear();
    await net.clock.run(60_000);
    expect(net.asked.get("exchange")).toBeLessThan(16);
  });
});

const states = (node: SimNode) => Object.values(node.view());

describe("twelve members that are not close", () => {
  test("know each other and agree, with few connections", async () => {
    const { net, nodes } = await simWitnesses(12);
    await net.clock.run(2_000);
    for (const node of nodes) expect(states(node)).toEqual(Array(12).fill("alive"));
    expect(agree(nodes)).toBe(true);
    await net.clock.run(20_000);
    expect(net.links()).toBeLessThan(12);
  });

  test("a record, the spec and a removal are known everywhere within 2 s", async () => {
    const { net, nodes } = await simWitnesses(12);
    const [one, two] = nodes as [SimNode, SimNode];
    await passing(net, two.agent.update({ roleState: { agent: 7 } }));
    await passing(net, one.agent.publishSpec("# 2\n", 1));
    await passing(net, one.agent.remove("n12"));
    await net.clock.run(2_000);
    for (const node of nodes.slice(0, 11)) {
      expect(node.agent.members()[1]?.roleState).toEqual({ agent: 7 });
      expect(node.agent.spec().version).toBe(2);
      expect(node.view()["n12"]).toBe("left");
    }
    expect(nodes[11]?.agent.self.left).toBe(true);
  });

  test("one that dies is dead everywhere within 10 s, and alive again once it is back", async () => {
    const { net, nodes } = await simWitnesses(12);
    const last = nodes[11] as SimNode;
    await passing(net, last.stop());
    await net.clock.run(10_000);
    for (const node of nodes.slice(0, 11)) expect(node.view()["n12"]).toBe("dead");
    await last.start();
    await net.clock.run(5_000);
    for (const node of nodes) expect(states(node)).toEqual(Array(12).fill("alive"));
    await net.clock.run(5_000);
    expect(agree(nodes)).toBe(true);
  });

  test("where its datagrams are blocked, a member is not held dead, hears what changes, and says so", async () => {
    const { net, nodes } = await simWitnesses(12);
    const [one, two] = nodes as [SimNode, SimNode];
    const seen = new Set<string>();
    for (const node of nodes) node.agent.onChange(() => states(node).forEach((state) => seen.add(state)));
    net.blockDatagrams(two.address);
    await net.clock.run(60_000);
    expect(two.agent.packetTrouble).toEqual({ what: "inward" });
    expect(one.agent.packetTrouble).toBeUndefined();
    expect(seen.has("dead")).toBe(false);
    await passing(net, one.agent.publishSpec("# 2\n", 1));
    await passing(net, two.agent.update({ roleState: { agent: 8 } }));
    await net.clock.run(10_000);
    expect(two.agent.spec().version).toBe(2);
    for (const node of nodes) expect(node.agent.members()[1]?.roleState).toEqual({ agent: 8 });
    net.heal();
    await net.clock.run(30_000);
    expect(two.agent.packetTrouble).toBeUndefined();
  });

  test("one that lost its state is told again", async () => {
    const { net, nodes } = await simWitnesses(12);
    const last = nodes[11] as SimNode;
    await passing(net, last.stop());
    last.forget();
    await net.clock.run(500);
    await last.start();
    await net.clock.run(30_000);
    for (const node of nodes) expect(states(node)).toEqual(Array(12).fill("alive"));
    expect(agree(nodes)).toBe(true);
  });

  test("a cut through the middle, healed: all agree again", async () => {
    const { net, nodes } = await simWitnesses(12);
    net.cut(addresses(nodes.slice(0, 6)), addresses(nodes.slice(6)));
    await net.clock.run(15_000);
    expect(states(nodes[0] as SimNode).filter((state) => state === "dead")).toHaveLength(6);
    await passing(net, (nodes[7] as SimNode).agent.update({ roleState: { agent: 9 } }));
    net.heal();
    await net.clock.run(20_000);
    for (const node of nodes) expect(states(node)).toEqual(Array(12).fill("alive"));
    expect(agree(nodes)).toBe(true);
  });
});
