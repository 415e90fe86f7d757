import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { HeldKeys } from "../../../src/cluster/gossip/held-keys.ts";
import { KeyRotation, ringStateKey } from "../../../src/cluster/gossip/key-rotation.ts";
import { outdoes, signRing, stageOf, stateOf, type KeyRing } from "../../../src/cluster/gossip/keyring.ts";
import { clockWindowMs } from "../../../src/cluster/gossip/seal.ts";
import { generateKey } from "../../../src/cluster/pki.ts";
import { passing, simCluster, simJoin, SimNetwork, type SimNode } from "../sim.ts";
import { codeOf, seeded } from "../support.ts";

const isLong = process.env["CHIME_LONG"] !== undefined;
const stepMs = 50;
/** A member that was away has the ring so long after it is heard again: it looks each second. */
const catchUpMs = 2_500;

/** A simulated machine with its keys; they lie in its credentials, which outlive the agent. */
class Node {
  readonly sim: SimNode;
  readonly net: SimNetwork;
  keys: HeldKeys;
  rotation: KeyRotation | undefined;
  isDiskFull = false;
  /** All that were written. */
  readonly saved: KeyRing[] = [];
  /** Since when each other one is seen alive without a break, ms. */
  readonly seen = new Map<Node, number>();

  constructor(net: SimNetwork, sim: SimNode) {
    this.net = net;
    this.sim = sim;
    this.keys = this.#open();
  }

  get index(): number {
    return this.sim.credentials.identity.self.index;
  }

  #open(): HeldKeys {
    const { sim, net } = this;
    const keys = new HeldKeys(sim.credentials.keyRing, () => net.clock.now());
    this.rotation = new KeyRotation({
      keys,
      save: async (ring) => {
        await net.clock.sleep(3);
        if (this.isDiskFull) throw new Error("no space left on device");
        sim.credentials = { ...sim.credentials, keyRing: ring };
        this.saved.push(ring);
      },
      credentials: () => sim.credentials,
      membership: sim.agent,
      clock: net.clock,
    });
    return keys;
  }

  async start(): Promise<void> {
    await this.sim.start();
    this.keys = this.#open();
  }

  async stop(): Promise<void> {
    this.rotation?.stop();
    this.rotation = undefined;
    // Whoever starts again is new to the others, though they may not have missed it.
    for (const node of nodes) node.seen.delete(this);
    this.seen.clear();
    await this.sim.stop();
  }

  sees(other: Node): boolean {
    return this.rotation !== undefined && this.sim.view()[other.sim.name] === "alive";
  }
}

let net: SimNetwork;
let nodes: Node[];
let pairs: number;

/** Time goes by in steps; at each, all that see each other can open what the other one seals for them. */
async function run(ms: number, graceMs = 0): Promise<void> {
  const end = net.clock.now() + ms;
  while (net.clock.now() < end) {
    await net.clock.run(stepMs);
    for (const a of nodes) {
      for (const b of nodes) if (a !== b) check(a, b, graceMs);
    }
  }
}

function check(a: Node, b: Node, graceMs: number): void {
  const now = net.clock.now();
  if (!a.sees(b) || !b.sees(a)) return void a.seen.delete(b);
  if (!a.seen.has(b)) a.seen.set(b, now);
  if (now - (a.seen.get(b) as number) < graceMs) return;
  const { id } = a.keys.sealing(b.index);
  pairs++;
  if (b.keys.opening(id)) return;
  const state = nodes.map(({ sim, keys }) => `${sim.name} ${JSON.stringify(stateOf(keys.ring))}`).join("; ");
  throw new Error(`at ${now} ms ${b.sim.name} cannot open what ${a.sim.name} seals by ${id}: ${state}`);
}

async function until(what: string, condition: () => boolean, graceMs = 0, limitMs = 60_000): Promise<number> {
  const start = net.clock.now();
  while (!condition()) {
    if (net.clock.now() - start > limitMs) throw new Error(`in vain: ${what}`);
    await run(stepMs, graceMs);
  }
  return net.clock.now() - start;
}

const up = () => nodes.filter(({ rotation }) => rotation);
/** All that run have this one ring, and it is settled. */
const agree = () =>
  new Set(up().map(({ keys }) => stateOf(keys.ring).id)).size === 1 &&
  up().every(({ keys }) => stageOf(keys.ring) === "settled");
const isDone = (version: number) => () => agree() && up().every(({ keys }) => keys.ring.version === version);
/** Time must pass before it is known everywhere. @returns the code of what it is refused for */
async function begin(...chosen: Node[]): Promise<string[]> {
  const begun = chosen.map(({ rotation }) => (rotation ? codeOf(rotation.begin()) : "not up"));
  return await passing(net, Promise.all(begun));
}

async function form(seed: number, count = 4, isWitness = (n: number) => n === count): Promise<void> {
  net = new SimNetwork(seed);
  const first = new Node(net, await simCluster(net));
  [nodes, pairs] = [[first], 0];
  await net.clock.run(10);
  for (let n = 2; n <= count; n++) await join(n, isWitness(n) ? ["witness"] : ["server"]);
  await until("everybody sees everybody", () => nodes.every((a) => nodes.every((b) => a === b || a.sees(b))));
  await run(2_000);
}

async function join(n: number, roles: string[]): Promise<Node> {
  const door = nodes.find(({ rotation }) => rotation) as Node;
  const creating = door.sim.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] });
  await net.clock.run(20);
  const { token } = await creating;
  const joining = simJoin(net, door.sim, token, `n${n}`, `10.0.0.${n}`, roles);
  await net.clock.run(200);
  const node = new Node(net, await joining);
  nodes.push(node);
  return node;
}

/** What the cluster was made with. */
let old: string;
let [one, two, three, witness]: Node[] = [];
beforeEach(async () => {
  await form(1);
  [one, two, three, witness] = nodes;
  old = (one as Node).keys.ring.primary;
});
afterEach(async () => {
  for (const node of nodes) await node.stop();
});
const node = (n: 1 | 2 | 3 | 4) => [one, two, three, witness][n - 1] as Node;

describe("a rotation", () => {
  test("gives all another key, and at no moment two of them have none in common", async () => {
    await begin(node(2));
    expect(stageOf(node(2).keys.ring)).toBe("adding");
    const tookMs = await until("the rotation", isDone(3));
    expect(tookMs).toBeLessThan(8_000);
    const rings = nodes.map(({ sim }) => sim.credentials.keyRing);
    expect(new Set(rings.map((ring) => ring.keys.join())).size).toBe(1);
    expect(rings[0]?.keys.length).toBe(1);
    expect(rings[0]?.primary).not.toBe(old);
    expect(node(1).rotation?.progress()).toEqual({ done: true, version: 3, awaiting: null, away: [] });
    expect(pairs).toBeGreaterThan(500);
  });

  test("goes by stages: a key opens everywhere before it seals anywhere, and seals everywhere before the old one goes", async () => {
    await begin(node(1));
    const rings = () => nodes.map(({ keys }) => keys.ring);
    while (!isDone(3)()) {
      await run(stepMs);
      const versions = rings().map(({ version }) => version);
      expect(Math.max(...versions) - Math.min(...versions)).toBeLessThanOrEqual(1);
      if (Math.max(...versions) > 3) throw new Error("it goes on and on");
    }
  });

  test("leaves the old key open for as long as packets may be on their way, and no longer", async () => {
    await begin(node(1));
    await until("the rotation", isDone(3));
    await run(clockWindowMs - 10_000);
    for (const { keys } of nodes) expect(keys.opening(old)).toBeDefined();
    await run(20_000);
    for (const { keys } of nodes) expect(keys.opening(old)).toBeUndefined();
  });

  test("can be had again", async () => {
    for (const version of [3, 6]) {
      await begin(node(3));
      await until(`version ${version}`, isDone(version));
    }
  });

  test("is begun once: the same again goes on with it", async () => {
    await begin(node(1));
    await run(500);
    await begin(node(1));
    await until("the rotation", isDone(3));
    await run(5_000);
    expect(isDone(3)()).toBe(true);
  });

  test("tells whom it waits for, and since when", async () => {
    node(3).isDiskFull = true;
    await begin(node(1));
    await run(10_000);
    expect(node(1).rotation?.progress()).toMatchObject({
      done: false,
      version: 1,
      awaiting: "waiting for n3 to hold the new key",
    });
    expect(node(1).rotation?.underWayMs).toBeGreaterThan(8_000);
    node(3).isDiskFull = false;
    await until("the rotation", isDone(3));
    await run(2_000);
    expect(node(1).rotation?.underWayMs).toBe(0);
  });
});

describe("a rotation that is disturbed", () => {
  test("does not wait for who is dead; who comes back has the ring with its first exchange", async () => {
    await node(3).stop();
    await begin(node(1));
    await until("the others", isDone(3));
    expect(node(1).rotation?.progress()).toMatchObject({ done: true, away: ["n3"] });
    await run(2 * clockWindowMs);
    const starting = node(3).start();
    await net.clock.run(10);
    await starting;
    await until("it is heard", () => node(1).sees(node(3)), catchUpMs);
    await until("all", isDone(3), catchUpMs, catchUpMs);
    await run(2 * catchUpMs, catchUpMs);
  });

  test.each([1, 2, 3])(
    "is ended by others when the one that drives it is killed with version %d",
    async (version) => {
      await begin(node(1));
      const have = () => up().filter(({ keys }) => keys.ring.version >= version);
      await until("somebody else to have it", () => have().includes(node(1)) && have().length > 1);
      await node(1).stop();
      await until("the others end it", isDone(3));
      await node(1).start();
      await until("it has the ring, too", isDone(3), catchUpMs);
    },
  );

  test("is ended by who began it where nobody else had heard of it", async () => {
    // Nobody can ask it for the ring.
    net.close("10.0.0.1");
    await begin(node(1));
    await node(1).stop();
    net.heal();
    await run(5_000);
    // Its record says that there is a later ring; nobody can give it.
    for (const n of [2, 3, 4] as const) expect(node(n).keys.ring.version).toBe(0);
    await node(1).start();
    await until("the rotation", isDone(3));
  });

  test("begun on two members at once ends in one new key", async () => {
    await begin(node(1), node(2));
    expect(node(1).keys.ring.version).toBe(1);
    expect(stateOf(node(1).keys.ring).id).not.toBe(stateOf(node(2).keys.ring).id);
    await until("the rotation", isDone(3));
    expect(node(4).keys.ring.keys.length).toBe(1);
  });

  test("begun twice at once on one member never goes back", async () => {
    for (let round = 1; round <= 8; round++) {
      await begin(node(1), node(1));
      await until("the rotation", isDone(3 * round));
    }
    const states = node(1).saved.map(stateOf);
    for (const [at, later] of states.slice(1).entries()) {
      expect(outdoes(later, states[at] as (typeof states)[0])).toBe(true);
    }
  });

  test("waits for who is suspected, for it may be back in a moment", async () => {
    node(3).isDiskFull = true;
    await begin(node(1));
    await run(3_000);
    for (let round = 0; round < 8; round++) {
      net.cut(["10.0.0.3"], ["10.0.0.1", "10.0.0.2", "10.0.0.4"]);
      await run(850);
      expect(node(1).sim.view()["n3"]).toBe("suspect");
      net.heal();
      await run(2_100);
    }
    expect(node(1).keys.ring.version).toBe(1);
  });

  test("is driven by no witness, though it is the first that is there", async () => {
    for (const other of nodes) await other.stop();
    await form(2, 4, (n) => n === 2);
    await begin(nodes[3] as Node);
    await (nodes[0] as Node).stop();
    await until("the rotation", isDone(3));
  });

  test("on both sides of a cut ends in one ring, and those that were together could talk all the time", async () => {
    net.cut(["10.0.0.1", "10.0.0.2"], ["10.0.0.3", "10.0.0.4"]);
    await run(3_000);
    await begin(node(1), node(3));
    await until("both", () => nodes.every(({ keys }) => keys.ring.version === 3));
    expect(agree()).toBe(false);
    await run(2 * clockWindowMs);
    net.heal();
    // Across the cut they have no key in common until they have told each other by TLS.
    await until("one ring", isDone(3), catchUpMs);
    await run(2 * catchUpMs, catchUpMs);
  });

  test("takes in who joins meanwhile", async () => {
    await begin(node(2));
    await run(500);
    const late = await join(5, ["server"]);
    expect(late.sim.credentials.keyRing.version).toBeGreaterThan(0);
    await until("the rotation", isDone(3));
  });

  test("does not wait for who left", async () => {
    const leaving = node(3).sim.agent.leave();
    await net.clock.run(100);
    await leaving;
    await node(3).stop();
    await begin(node(1));
    await until("the others", isDone(3));
    expect(node(1).rotation?.progress()).toMatchObject({ done: true, away: [] });
  });
});

describe("nobody without the CA", () => {
  test("makes a ring", async () => {
    expect(await begin(node(4))).toEqual(["keys.witness"]);
    expect(node(4).keys.ring.version).toBe(0);
  });

  test("has one taken that it made up", async () => {
    const { sim, keys } = node(4);
    const forged: KeyRing = signRing(generateKey().privateKey, sim.credentials.identity.cluster.id, {
      ...keys.ring,
      version: 9,
    });
    node(4).rotation?.stop();
    sim.agent.handle("keyring", () => Promise.resolve(forged));
    const saying = sim.agent.update({ roleState: { [ringStateKey]: stateOf(forged) } });
    await net.clock.run(100);
    await saying;
    await net.clock.run(5_000);
    for (const n of [1, 2, 3] as const) expect(node(n).keys.ring.version).toBe(0);
  });
});

test("a member that says to have a later ring and gives none holds up nobody else's", async () => {
  node(2).rotation?.stop();
  const { agent } = node(2).sim;
  agent.handle("keyring", () => Promise.reject(new Error("no")));
  const saying = agent.update({
    roleState: { [ringStateKey]: { ...stateOf(node(2).keys.ring), version: 9 } },
  });
  await net.clock.run(100);
  await saying;
  await begin(node(3));
  await run(2_000);
  expect([1, 4].map((n) => node(n as 1 | 4).keys.ring.version)).toEqual([1, 1]);
});

test("nothing is begun while a member is there that knows of no rotation", async () => {
  node(3).rotation?.stop();
  const saying = node(3).sim.agent.update({ roleState: {} });
  await net.clock.run(100);
  await saying;
  expect(await begin(node(1))).toEqual(["keys.old_member"]);
  expect(node(1).keys.ring.version).toBe(0);
});

test("no key is in what members say of their ring", async () => {
  await begin(node(1));
  await run(1_500);
  const said = JSON.stringify(node(1).sim.agent.members());
  expect(said).toContain(ringStateKey);
  for (const key of node(1).keys.ring.keys) expect(said).not.toContain(key);
});

const seeds = isLong ? 200 : 4;
describe("days full of it", () => {
  for (let seed = 1; seed <= seeds; seed++) {
    test(`seed ${seed}`, async () => {
      for (const other of nodes) await other.stop();
      await form(100 + seed, 5);
      const random = seeded(seed);
      const any = () => nodes[Math.floor(random() * nodes.length)] as Node;
      for (let event = 0; event < 25; event++) {
        const chosen = any();
        const kind = random();
        if (kind < 0.35) await begin(any());
        else if (kind < 0.6 && chosen.rotation && up().length > 2) await chosen.stop();
        else if (kind < 0.85 && !chosen.rotation) await chosen.start();
        else if (kind < 0.93)
          net.cut(
            [chosen.sim.address],
            nodes.filter((n) => n !== chosen).map((n) => n.sim.address),
          );
        else net.heal();
        await run(Math.floor(random() * (random() < 0.1 ? 90_000 : 4_000)), catchUpMs);
      }
      net.heal();
      for (const other of nodes) if (!other.rotation) await other.start();
      await until("one ring", agree, catchUpMs);
      await run(2 * catchUpMs, catchUpMs);
      expect(agree()).toBe(true);
    });
  }
});
