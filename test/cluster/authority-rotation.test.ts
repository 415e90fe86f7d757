import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { admissionHash, signAdmission, signToken } from "../../src/cluster/admission.ts";
import { AuthorityRotation, rolloverStateKey } from "../../src/cluster/authority-rotation.ts";
import { withRollover } from "../../src/cluster/identity.ts";
import { caHash, certifyNode, createAuthority, generateKey } from "../../src/cluster/pki.ts";
import { beginRollover, nextStage, versionOf, type Rollover } from "../../src/cluster/rollover.ts";
import type { Admission } from "../../src/cluster/schema.ts";
import { SharedState } from "../../src/cluster/state.ts";
import { hashSecret, parseToken } from "../../src/cluster/token.ts";
import { shownTo, signer, signingCa, trustedCas, trustIn } from "../../src/cluster/trust.ts";
import { stateForm } from "../../src/core/build.ts";
import { failed, refused } from "../../src/core/errors.ts";
import { log } from "../../src/core/log.ts";
import { isTaken, passing, simCluster, simJoin, SimNetwork, type SimNode } from "./sim.ts";
import { codeOf, seeded } from "./support.ts";

const isLong = process.env["CHIME_LONG"] !== undefined;
const stepMs = 50;
/** One that was away is heard, and looks each second. */
const catchUpMs = 6_000;
/** One that was away while the old CA went, and hears of it by gossip. */
const longestMs = 90_000;

const level = log.level;

/** A simulated machine; what it holds of the CA lies in its credentials, which outlive the agent. */
class Node {
  readonly sim: SimNode;
  rotation: AuthorityRotation | undefined;
  isDiskFull = false;
  /** Its services do not take what is new. */
  isStuck = false;
  /** It is told that another member's services could not follow. */
  isOutdated = false;
  isAsked = false;
  /** Since when each other one is seen alive without a break, ms. */
  readonly seen = new Map<Node, number>();

  constructor(sim: SimNode) {
    this.sim = sim;
    this.#open();
  }

  get holds() {
    return this.sim.credentials;
  }

  get version(): number {
    return versionOf(this.holds.rollover);
  }

  #open(): void {
    this.rotation = this.opened();
    this.rotation.start();
  }

  opened(): AuthorityRotation {
    const { sim } = this;
    return new AuthorityRotation({
      credentials: () => sim.credentials,
      save: async (change) => {
        await net.clock.sleep(3);
        if (this.isDiskFull) throw new Error("no space left on device");
        sim.credentials = withRollover(sim.credentials, change);
      },
      services: async () => {
        this.isAsked = true;
        if (this.isStuck) throw failed("mysql.down", "the server does not answer");
      },
      requireAble: () => {
        if (this.isOutdated) throw refused("ca.old_member", "a service could not follow");
      },
      membership: sim.agent,
      clock: net.clock,
    });
  }

  async start(): Promise<void> {
    await this.sim.start();
    this.#open();
  }

  async stop(): Promise<void> {
    this.rotation?.stop();
    this.rotation = undefined;
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

/** Time goes by in steps; at each, any two that see each other would take each other's certificate on a new connection. */
async function run(ms: number, graceMs = 0): Promise<void> {
  const end = net.clock.now() + ms;
  while (net.clock.now() < end) {
    await net.clock.run(stepMs);
    for (const a of nodes) for (const b of nodes) if (a !== b) check(a, b, graceMs);
  }
}

function check(a: Node, b: Node, graceMs: number): void {
  const now = net.clock.now();
  if (!a.sees(b) || !b.sees(a)) return void a.seen.delete(b);
  if (!a.seen.has(b)) a.seen.set(b, now);
  const [early = 0, late = 0] = [a.version, b.version].sort((one, other) => one - other);
  // Datagrams still go between them; records that got lost come with the next comparison.
  const missedTheWord = late % 4 === 0 && late - early > 1;
  if (now - (a.seen.get(b) as number) < (missedTheWord && graceMs > 0 ? longestMs : graceMs)) return;
  pairs++;
  const server = shownTo(b.holds, caHash(trustedCas(a.holds).at(-1) as string)).certificate;
  const client = shownTo(a.holds, undefined).certificate;
  if (isTaken(server, a.holds) && isTaken(client, b.holds)) return;
  const state = nodes.map(({ sim, version }) => `${sim.name} ${version}`).join("; ");
  throw new Error(`at ${now} ms ${a.sim.name} and ${b.sim.name} cannot connect: ${state}`);
}

async function until(what: string, condition: () => boolean, graceMs = 0, limitMs = 60_000): Promise<void> {
  const start = net.clock.now();
  while (!condition()) {
    if (net.clock.now() - start > limitMs) {
      const state = nodes.map(
        (node) => `${node.sim.name} ${node.version} ${node.rotation?.progress().awaiting}`,
      );
      throw new Error(`in vain: ${what}: ${state.join("; ")}`);
    }
    await run(stepMs, graceMs);
  }
}

const up = () => nodes.filter(({ rotation }) => rotation);
const through = (version: number) => () =>
  up().every((one) => {
    const progress = one.rotation?.progress();
    return one.version === version && (progress?.done || progress?.awaiting === null);
  });
const begin = (at: Node, agreed = at.rotation?.plan().agreed ?? "") =>
  passing(net, codeOf((at.rotation as AuthorityRotation).begin(agreed)));
const finish = (at: Node) => passing(net, codeOf((at.rotation as AuthorityRotation).finish()));
const fine = "nothing was thrown";

async function form(seed: number, count = 4): Promise<void> {
  net = new SimNetwork(seed);
  nodes = [];
  pairs = 0;
  nodes.push(new Node(await simCluster(net)));
  await net.clock.run(10);
  for (let n = 2; n <= count; n++) await join(n, n === count ? ["witness"] : ["server"]);
  await until("everybody sees everybody", () => nodes.every((a) => nodes.every((b) => a === b || a.sees(b))));
  await run(2_000);
}

async function invite(door: Node): Promise<string> {
  const creating = door.sim.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] });
  return (await passing(net, creating)).token;
}

async function join(n: number, roles: string[], token?: string): Promise<Node> {
  const door = nodes.find(({ rotation }) => rotation) as Node;
  const invitation = token ?? (await invite(door));
  const node = new Node(
    await passing(net, simJoin(net, door.sim, invitation, `n${n}`, `10.0.0.${n}`, roles)),
  );
  nodes.push(node);
  return node;
}

/** What all nodes warn of meanwhile. */
async function warnings(work: () => Promise<void>): Promise<string> {
  const warned: string[] = [];
  log.level = 2;
  const note = (...words: unknown[]) => void warned.push(words.join(" "));
  const spy = spyOn(log, "warn").mockImplementation(Object.assign(note, { raw: note }));
  await work().finally(() => spy.mockRestore());
  return warned.join("\n");
}

const node = (n: number) => nodes[n - 1] as Node;
/** What the cluster was made with: what a thief has. */
let stolen: { cert: string; key: string };
beforeEach(async () => {
  log.level = 0;
  await form(1);
  stolen = { cert: node(1).holds.ca, key: node(1).holds.caKey as string };
});
afterEach(async () => {
  for (const one of nodes) await one.stop();
  log.level = level;
});

describe("a rotation of the CA", () => {
  test("ends with the new one alone, and at no moment two members that live refuse each other", async () => {
    expect(await begin(node(2))).toBe(fine);
    await until("the new one to sign", through(2));
    await run(10_000);
    expect(node(3).rotation?.progress()).toMatchObject({ stage: 2, done: false, awaiting: null, away: [] });
    expect(await finish(node(3))).toBe(fine);
    await until("the old one to go", through(4));
    const { ca } = node(1).holds;
    expect(ca).not.toBe(stolen.cert);
    for (const { holds } of nodes) {
      expect(trustedCas(holds)).toEqual([ca]);
      expect(isTaken(holds.certificate, { ...holds, ca })).toBe(true);
      expect(JSON.stringify(holds)).not.toContain(JSON.stringify(stolen.key));
    }
    expect(nodes.map(({ holds }) => holds.caKey === undefined)).toEqual([false, false, false, true]);
    expect(node(1).sim.agent.admissions()).toHaveLength(4);
    await run(10_000);
    expect(pairs).toBeGreaterThan(1_000);
    expect(nodes.every((a) => nodes.every((b) => a === b || a.sees(b)))).toBe(true);
  });

  test("goes by stages: none begins before all that are there are through with the one before", async () => {
    node(3).isStuck = true;
    await begin(node(1));
    await run(10_000);
    expect(nodes.map(({ version }) => version)).toEqual([1, 1, 1, 1]);
    expect(node(1).rotation?.progress().awaiting).toBe("waiting for n3 to trust both CAs");
    expect(await finish(node(1))).toBe("ca.not_ready");
    node(3).isStuck = false;
    await until("the new one to sign", through(2));
    node(4).isDiskFull = true;
    await finish(node(1));
    await run(10_000);
    expect(nodes.map(({ version }) => version)).toEqual([3, 3, 3, 2]);
    node(4).isDiskFull = false;
    await until("the old one to go", through(4));
  });

  test("asks nothing of services before it is started: the agent is not ready for that from its first moment on", async () => {
    await begin(node(1));
    await until("the new one to sign", through(2));
    await node(2).stop();
    node(2).isAsked = false;
    await node(2).sim.start();
    node(2).rotation = node(2).opened();
    await run(5_000, catchUpMs);
    expect(node(2).isAsked).toBe(false);
    node(2).rotation?.start();
    await until("it is through again", through(2), catchUpMs);
    expect(node(2).isAsked).toBe(true);
  });

  test("can be had again", async () => {
    for (const round of [0, 4, 8]) {
      expect(await begin(node(2))).toBe(fine);
      await until("the new one to sign", through(round + 2));
      expect(await finish(node(2))).toBe(fine);
      await until("the old one to go", through(round + 4));
      expect(nodes.every((a) => nodes.every((b) => a === b || a.sees(b)))).toBe(true);
    }
  });

  test("is begun by nobody without the CA, not without all that hold it, and with the members that were shown alone", async () => {
    expect(await begin(node(4))).toBe("ca.witness");
    const { agreed } = node(1).rotation?.plan() ?? {};
    await join(5, ["witness"]);
    await until("it to be known", () => node(1).sees(node(5)));
    await run(2_000);
    expect(await begin(node(2), agreed)).toBe("ca.members_changed");
    node(1).isOutdated = true;
    expect(await begin(node(2))).toBe("ca.old_member");
    node(1).isOutdated = false;
    await node(3).stop();
    await until("it to be missed", () => node(1).sim.view()["n3"] === "dead");
    expect(await begin(node(1))).toBe("ca.away");
    expect(nodes.map(({ version }) => version)).toEqual([0, 0, 0, 0, 0]);
    expect(await finish(node(1))).toBe("ca.nothing_to_finish");
  });

  test("begun on two members at once is one", async () => {
    const { agreed } = node(1).rotation?.plan() ?? { agreed: "" };
    const begun = [1, 2, 3].map((n) => codeOf((node(n).rotation as AuthorityRotation).begin(agreed)));
    expect(await passing(net, Promise.all(begun))).toContain(fine);
    await until("the new one to sign", through(2));
    expect(new Set(nodes.map(({ holds }) => holds.rollover?.after)).size).toBe(1);
  });

  test("leaves a state in which a version that cannot read its list knows nobody: the state's form says so", async () => {
    await begin(node(1));
    await until("the new one to sign", through(2));
    await finish(node(1));
    await until("the old one to go", through(4));
    const { ca, identity } = node(1).holds;
    const older = new SharedState(identity.cluster.id, trustIn({ ca }));
    const admissions = node(1).sim.agent.admissions();
    older.merge({ admissions, records: [], tokens: [], spec: null });
    expect([older.allAdmissions(), admissions.length]).toEqual([[], 4]);
    expect(stateForm).toBeGreaterThan(1);
  });

  test.each([1, 3])(
    "is gone on with by others where the one that drives it is killed in stage %d",
    async (stage) => {
      node(4).isDiskFull = true;
      await begin(node(1));
      if (stage === 3) {
        node(4).isDiskFull = false;
        await until("the new one to sign", through(2));
        node(4).isDiskFull = true;
        await finish(node(1));
      }
      await until("two to have it", () => [1, 2, 3].every((n) => node(n).version === stage));
      await run(3_000);
      await node(1).stop();
      node(4).isDiskFull = false;
      await until("the others go on", through(stage + 1));
      if (stage === 1) {
        await node(1).start();
        await until("it has it, too", through(2), catchUpMs);
        await finish(node(2));
      } else {
        await run(3_000);
        await node(1).start();
      }
      await until("it ends", through(4), catchUpMs);
    },
  );

  test.each([0, 200, 400, 600, 800, 1_000, 1_200, 1_500, 2_000, 3_000])(
    "goes on, or can be begun again, where the one that made the new key is lost for good %d ms later",
    async (ms) => {
      // Nobody goes on before it is lost.
      node(4).isStuck = true;
      await begin(node(1));
      await run(ms);
      await node(1).stop();
      await until("it is missed", () => [2, 3].every((n) => node(n).sim.view()["n1"] === "dead"));
      expect(await passing(net, codeOf(node(2).sim.agent.remove("n1")))).toBe(fine);
      node(4).isStuck = false;
      await run(3_000, catchUpMs);
      expect(await begin(node(2))).toBe(fine);
      await until("the new one to sign", through(2), catchUpMs);
      await join(5, ["server"], await invite(node(3)));
      await until("it is one of them", () => node(2).sees(node(5)) && node(5).sees(node(2)), catchUpMs);
    },
  );

  test("lets nobody in before the new CA signs; tokens made before are good no more, those made then pin the new one", async () => {
    const old = await invite(node(1));
    node(3).isStuck = true;
    await begin(node(1));
    await until("all trust both", () => nodes.every(({ version }) => version === 1));
    const asked = async (token: string) =>
      await passing(net, codeOf(simJoin(net, node(1).sim, token, "n5", "10.0.0.5", ["server"])));
    expect(await passing(net, codeOf(invite(node(1))))).toBe("ca.beginning");
    expect(await asked(old)).toBe("token.unknown");
    node(3).isStuck = false;
    await until("the new one to sign", through(2));
    expect(await asked(old)).toBe("token.unknown");
    const fresh = await invite(node(2));
    expect(parseToken(fresh).ca).toBe(caHash(signingCa(node(1).holds)));
    expect(parseToken(fresh).ca).not.toBe(caHash(stolen.cert));
    await join(5, ["server"], fresh);
    await until("it is one of them", () => nodes.every((one) => one === node(5) || one.sees(node(5))));
    await until("it is through", through(2));
    expect(signer(node(5).holds)?.cert).toBe(signingCa(node(1).holds));
    await finish(node(5));
    await until("the old one to go", through(4));
    expect(node(1).sim.agent.admissions()).toHaveLength(5);
  });
});

describe("a member that was away", () => {
  test("all the time comes back while the old CA is trusted, in both stages", async () => {
    await node(4).stop();
    await until("it is missed", () => node(1).sim.view()["n4"] === "dead");
    node(3).isStuck = true;
    await begin(node(1));
    await run(3_000);
    expect(node(1).version).toBe(1);
    await node(4).start();
    await until("it has stage 1", () => node(4).version === 1, catchUpMs);
    await node(4).stop();
    node(4).sim.credentials = { ...node(4).holds, rollover: undefined, next: undefined };
    await until("it is missed", () => node(1).sim.view()["n4"] === "dead");
    node(3).isStuck = false;
    await until("the new one to sign", through(2));
    await run(5_000);
    await node(4).start();
    await until("it has stage 2", through(2), catchUpMs);
    await finish(node(1));
    await until("the old one to go", through(4));
    expect(node(1).sees(node(4)) && node(4).sees(node(1))).toBe(true);
  });

  test.each([
    [1, 2],
    [1, 4],
    [2, 2],
    [2, 3],
    [3, 4],
    // A witness can sign nothing for itself: it has to knock.
    [4, 2],
    [4, 4],
  ])("from stage 1 on (member %d, until stage %d) comes back after the old CA is gone", async (n, stage) => {
    if (stage === 2) node(3).isStuck = true;
    await begin(node(2));
    const last = stage === 2 ? 1 : 2;
    await until("it has the first stages", () => nodes.every(({ version }) => version === last));
    await run(3_000);
    await node(n).stop();
    node(3).isStuck = false;
    await until("the others have the second", through(2));
    const other = node(n === 2 ? 1 : 2);
    expect(await finish(other)).toBe(fine);
    await until("the old one to go", through(4));
    await run(5_000);
    await node(n).start();
    await until("it has it, too", through(4), catchUpMs);
    await until("it is seen", () => other.sees(node(n)) && node(n).sees(other), catchUpMs);
    expect(node(n).holds.caKey).toBe(node(n) === node(4) ? undefined : other.holds.caKey);
  });

  /** The witness, from the first stage of the first rotation on; those that hold the CA have to be there. */
  async function missEndAndBegin(): Promise<void> {
    node(3).isStuck = true;
    await begin(node(1));
    await until("both are trusted", () => nodes.every(({ version }) => version === 1));
    await node(4).stop();
    await until("it is missed", () => node(1).sim.view()["n4"] === "dead");
    node(3).isStuck = false;
    await until("the new one to sign", through(2));
    await finish(node(1));
    await until("the old one to go", through(4));
    expect(await begin(node(1))).toBe(fine);
  }

  test.each([5, 6])("since the rotation before comes back while the next one is at %d", async (version) => {
    await missEndAndBegin();
    node(3).isStuck = version === 5;
    await until("it to be there", () => up().every((one) => one.version === version));
    await run(3_000);
    await node(4).start();
    await until("it has it, too", () => node(4).version === version, catchUpMs);
    node(3).isStuck = false;
    await until("the new one to sign", through(6), catchUpMs);
    await finish(node(1));
    await until("the old one to go", through(8), catchUpMs);
    expect(node(1).sees(node(4)) && node(4).sees(node(1))).toBe(true);
  });

  test("over the ends of two rotations stays out, and says how it comes back", async () => {
    await missEndAndBegin();
    await until("the new one to sign", through(6));
    await finish(node(1));
    await until("the old one to go", through(8));
    await node(4).start();
    const warned = await warnings(() => net.clock.run(20_000));
    expect(node(4).version).toBe(1);
    expect(warned).toContain("by chime-node reset and a new join alone");
  });

  test("all the time stays out once the old CA is gone", async () => {
    await node(4).stop();
    await until("it is missed", () => node(1).sim.view()["n4"] === "dead");
    await begin(node(1));
    await until("the new one to sign", through(2));
    expect(node(1).rotation?.progress().away).toEqual(["n4"]);
    await finish(node(1));
    await until("the old one to go", through(4));
    await node(4).start();
    // Its datagrams are good: it is heard, and can be told nothing.
    await net.clock.run(10_000);
    expect(node(4).version).toBe(0);
    expect(node(1).rotation?.progress()).toMatchObject({
      done: false,
      awaiting: "waiting for n4 to drop the old CA",
    });
  });
});

/** Root on a member that was removed: it holds the CA's key and everything else that it ever had. */
describe("the thief of the old CA's key", () => {
  const cluster = () => node(1).holds.identity.cluster;

  /** A member that the thief makes up, known to whoever takes its admission. */
  function forged(index: number, name = `x${index}`, change: Partial<Admission> = {}) {
    const key = generateKey();
    const address = `10.0.0.${100 + index}`;
    const mine = { index, name, address, publicKey: key.publicKey };
    const admission = signAdmission(stolen.key, cluster().id, {
      ...mine,
      witness: false,
      roles: ["server"],
      left: false,
      ...change,
    });
    const certificate = certifyNode(stolen, cluster(), mine, net.clock.wall());
    return { key, mine, admission, certificate };
  }

  /** What a member answers who shows such a certificate. */
  async function asks(
    at: Node,
    who: ReturnType<typeof forged>,
    method: string,
    params: unknown = {},
  ): Promise<string> {
    const { certificate } = who;
    const members: Rollover["members"] = [];
    const trustful = { round: 1, stage: 3 as const, before: stolen.cert, members, begun: "", signature: "" };
    // Whom it asks it does not judge.
    const rollover = { ...trustful, after: signingCa(at.holds) };
    const { name, index, publicKey } = who.mine;
    const transport = net.transport(who.mine.address, { name, index, publicKey }, () => ({
      ...node(1).holds,
      ca: stolen.cert,
      certificate,
      rollover,
      next: undefined,
    }));
    const { publicKey: key } = at.sim.agent.admissions().find((one) => one.name === at.sim.name) ?? {
      publicKey: "",
    };
    const self = at.holds.identity.self;
    const dialing = transport.dial({ ...self, publicKey: key });
    return await passing(net, codeOf(dialing.then((link) => link.request(method, params, 1_000))));
  }

  const summary = { documents: "", records: [] };
  const introduces = (who: ReturnType<typeof forged>) => ({
    admission: who.admission,
    summary,
    statements: [],
  });

  test("is a member wherever it likes before the rotation, which these tests would see", async () => {
    const thief = forged(9);
    expect(await asks(node(2), thief, "exchange", introduces(thief))).toBe(fine);
  });

  test.each([1, 2, 4])("makes no member in stage %d, and takes no member's place", async (stage) => {
    if (stage === 1) node(3).isStuck = true;
    await begin(node(1));
    if (stage === 1) await until("both are trusted", () => nodes.every(({ version }) => version === 1));
    else await until("the new one to sign", through(2));
    if (stage === 4) {
      await finish(node(1));
      await until("the old one to go", through(4));
    }
    const unknown = stage === 4 ? "peer.unreachable" : "member.unknown";
    const thief = forged(9);
    expect(await asks(node(2), thief, "exchange", introduces(thief))).toBe(unknown);
    // Of two keys of one index the smaller one stays: it can make as many as that takes.
    let other = forged(3, "n3");
    while (other.admission.publicKey > node(3).holds.key.publicKey) other = forged(3, "n3");
    const refusal = stage === 4 ? "peer.unreachable" : "member.removed";
    expect(await asks(node(2), other, "exchange", introduces(other))).toBe(refusal);
    expect(await asks(node(2), other, "call.ca-key")).toBe(refusal);
    expect(
      node(2)
        .sim.agent.admissions()
        .map(({ index }) => index),
    ).toEqual([1, 2, 3, 4]);
  });

  test.each([
    ["name", "n2", {}],
    ["address", "x9", { address: "10.0.0.2" }],
  ])("does not hide behind a member's %s when a rotation begins", async (_, name, change) => {
    const thief = forged(9, name, change);
    expect(await asks(node(1), thief, "exchange", introduces(thief))).toBe(fine);
    await run(5_000, 10_000);
    const shown = node(3)
      .rotation?.plan()
      .members.map((one) => [one.name, one.address]);
    expect(shown).toContainEqual([name, thief.admission.address]);
    for (const n of [1, 2]) expect(await begin(node(n))).toBe("ca.namesakes");
    expect(await passing(net, codeOf(node(2).sim.agent.remove(`${name}:9`)))).toBe(fine);
    await run(5_000, 10_000);
    expect(node(1).sees(node(2)) && node(2).sees(node(1))).toBe(true);
    expect(await begin(node(2))).toBe(fine);
    await until("the new one to sign", through(2));
    expect(await asks(node(1), thief, "call.ca-key")).toBe("member.removed");
  });

  test("does not have one that left come back: in the list it is gone for all", async () => {
    const gone = forged(9, "x9", { left: true });
    expect(await asks(node(1), gone, "exchange", introduces(gone))).toBe("member.removed");
    await begin(node(1));
    await until("the new one to sign", through(2));
    const { members } = node(2).holds.rollover as Rollover;
    expect(members.map(([index, , left]) => [index, left])).toEqual([1, 2, 3, 4, 9].map((n) => [n, n === 9]));
    // `left` is in no signature.
    const unaware = new SharedState(cluster().id, trustIn(node(2).holds));
    const admissions = [{ ...gone.admission, left: false }];
    unaware.merge({ admissions, records: [], tokens: [], spec: null });
    expect(unaware.admission(9)?.left).toBe(true);
    const late = new SharedState(cluster().id, trustIn({ ca: stolen.cert }));
    late.merge({ admissions, records: [], tokens: [], spec: null });
    late.anchor(trustIn(node(2).holds));
    expect(late.admission(9)?.left).toBe(true);
  });

  test("is not told the new CA's key for a member of its name", async () => {
    const namesake = forged(9, "n2", { witness: true, roles: ["witness"] });
    expect(await asks(node(1), namesake, "exchange", introduces(namesake))).toBe(fine);
    const comes = createAuthority(cluster(), net.clock.wall());
    const members = node(1)
      .sim.agent.admissions()
      .map((one): Rollover["members"][number] => [one.index, admissionHash(cluster().id, one), false]);
    const begun = { round: 1, before: stolen.cert, after: comes.cert, members };
    const listing = beginRollover(cluster().id, { before: stolen.key, after: comes.key }, begun);
    node(1).sim.credentials = withRollover(node(1).holds, { rollover: listing, next: { caKey: comes.key } });
    expect(await asks(node(1), namesake, "call.ca-key")).toBe("ca.witness");
  });

  test("with a witness's key does not pass for a member that is told the new CA's", async () => {
    await begin(node(1));
    await until("the new one to sign", through(2));
    const { key, identity } = node(4).holds;
    const mine = { ...identity.self, publicKey: key.publicKey };
    const honest = { ...forged(4), key, mine, certificate: certifyNode(stolen, cluster(), mine, 0) };
    expect(await asks(node(1), honest, "call.ca-key")).toBe("ca.witness");
    const posing = { ...mine, name: "n2" };
    const named = { ...honest, mine: posing, certificate: certifyNode(stolen, cluster(), posing, 0) };
    expect(await asks(node(1), named, "call.ca-key")).toBe("member.removed");
  });

  test.each([3, 4])("on member %d, which says to be further, keeps no other one from its part", async (n) => {
    node(1).isStuck = true;
    await begin(node(1));
    await until("both are trusted", () => nodes.every(({ version }) => version === 1));
    node(n).rotation?.stop();
    const state = { version: 9, id: "00000000", through: true };
    await passing(net, node(n).sim.agent.update({ roleState: { [rolloverStateKey]: state } }));
    const knocks = net.asked.get("renew") ?? 0;
    await run(6_000);
    // A witness is no reason to.
    expect((net.asked.get("renew") ?? 0) > knocks).toBe(n !== 4);
    node(1).isStuck = false;
    await run(6_000);
    expect(node(1).rotation?.progress().awaiting).toBe(`waiting for n${n} to trust both CAs`);
  });

  test("makes no token that opens a door", async () => {
    await begin(node(1));
    await until("the new one to sign", through(2));
    const record = signToken(stolen.key, cluster().id, {
      id: "aaaaaaaa",
      hash: hashSecret("x".repeat(32)),
      expiry: 4_000_000_000,
      roles: [],
      uses: 0,
      usedBy: [],
      revoked: false,
    });
    // As a member would that has not heard of the rotation yet.
    const telling = node(2)
      .sim.agent.call("n1", "nothing", {}, 1_000)
      .catch(() => undefined);
    await passing(net, telling);
    const { agent } = node(1).sim;
    const parts = { admissions: [], records: [], tokens: [record], spec: null };
    const member = {
      ...forged(2),
      mine: { ...node(2).holds.identity.self, publicKey: node(2).holds.key.publicKey },
    };
    const certificate = node(2).holds.certificate;
    expect(await asks(node(1), { ...member, certificate }, "push", parts)).toBe(fine);
    expect(agent.tokens.list()).toEqual([]);
  });

  test("has no rotation of its own taken by a member that knows of one", async () => {
    await begin(node(1));
    await until("the new one to sign", through(2));
    const own = node(2).holds.rollover as Rollover;
    const mine = createAuthority(cluster(), net.clock.wall());
    const { members } = own;
    const keys = { before: stolen.key, after: mine.key };
    const rounds = [
      { round: 1, before: stolen.cert },
      { round: 2, before: stolen.cert },
      { round: 2, before: own.after },
    ];
    node(4).rotation?.stop();
    const { agent } = node(4).sim;
    for (const begun of rounds) {
      let forgery = beginRollover(cluster().id, keys, { ...begun, after: mine.cert, members });
      while (forgery.stage < 4) forgery = nextStage(cluster().id, mine.key, forgery);
      agent.handle(rolloverStateKey, () => Promise.resolve(forgery));
      const state = { version: versionOf(forgery) + 4, id: "00000000", through: true };
      await passing(net, agent.update({ roleState: { [rolloverStateKey]: state } }));
      await run(3_000);
      for (const n of [1, 2, 3]) expect([n, node(n).holds.rollover?.after]).toEqual([n, own.after]);
      expect([1, 2, 3].map((n) => node(n).version)).toEqual([2, 2, 2]);
    }
    const stages = [3, 4] as const;
    for (const stage of stages) {
      agent.handle(rolloverStateKey, () => Promise.resolve({ ...own, stage }));
      await run(2_000);
      expect([1, 2, 3].map((n) => node(n).version)).toEqual([2, 2, 2]);
    }
  });
});

test("a member that the one that began did not know takes no part: it would be refused later, and says why", async () => {
  const warned = await warnings(async () => {
    const other = createAuthority(node(1).holds.identity.cluster, net.clock.wall());
    const members: Rollover["members"] = [[1, "A".repeat(43), false]];
    const begun = { round: 1, before: stolen.cert, after: other.cert, members };
    const keys = { before: stolen.key, after: other.key };
    const forgery = beginRollover(node(1).holds.identity.cluster.id, keys, begun);
    node(4).rotation?.stop();
    const { agent } = node(4).sim;
    agent.handle(rolloverStateKey, () => Promise.resolve(forgery));
    const state = { version: 1, id: "00000000", through: true };
    await passing(net, agent.update({ roleState: { [rolloverStateKey]: state } }));
    await run(3_000);
  });
  expect(node(2).version).toBe(0);
  expect(warned).toContain("n2 is not among those that the new CA goes by");
});

const seeds = isLong ? 100 : 1;
describe("days full of it", () => {
  for (let seed = 1; seed <= seeds; seed++) {
    test(`seed ${seed}`, async () => {
      for (const one of nodes) await one.stop();
      await form(100 + seed, 5);
      const random = seeded(seed);
      const any = () => nodes[Math.floor(random() * nodes.length)] as Node;
      const down = () => nodes.filter(({ rotation }) => !rotation);
      for (let event = 0; event < 30; event++) {
        const chosen = any();
        const kind = random();
        if (kind < 0.25 && chosen.rotation) await begin(chosen);
        else if (kind < 0.4 && chosen.rotation) {
          // An operator looks at who is away first.
          const first = nodes.map(({ version }) => version);
          if (new Set(first).size === 1) await finish(chosen);
        } else if (kind < 0.6 && chosen.rotation && down().length < 2) await chosen.stop();
        else if (kind < 0.85 && !chosen.rotation) await chosen.start();
        else if (kind < 0.93) {
          const rest = nodes.filter((one) => one !== chosen);
          net.cut(
            [chosen.sim.address],
            rest.map(({ sim }) => sim.address),
          );
        } else net.heal();
        await run(Math.floor(random() * 8_000), catchUpMs);
      }
      net.heal();
      for (const one of down()) await one.start();
      await until(
        "all are where the first is",
        () => new Set(nodes.map(({ version }) => version)).size === 1 && [0, 2].includes(node(1).version % 4),
        catchUpMs,
        2 * longestMs,
      );
      await run(2 * catchUpMs, catchUpMs);
      expect(nodes.every((a) => nodes.every((b) => a === b || a.sees(b)))).toBe(true);
    });
  }
});
