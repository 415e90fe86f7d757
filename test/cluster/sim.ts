import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { possessionFields, protocolVersion, signAdmission } from "../../src/cluster/admission.ts";
import { peerFrameBytes, peerUnreachable } from "../../src/cluster/channel.ts";
import { encodeFrame } from "../../src/cluster/frame.ts";
import { firstRing } from "../../src/cluster/gossip/keyring.ts";
import type { Credentials } from "../../src/cluster/identity.ts";
import { ClusterMembership } from "../../src/cluster/membership.ts";
import { joinedWith } from "../../src/cluster/join.ts";
import {
  caHash,
  certifyNode,
  createAuthority,
  generateKey,
  signFields,
  type KeyPair,
  type PeerIdentity,
} from "../../src/cluster/pki.ts";
import { joinAnswer, type StateParts } from "../../src/cluster/schema.ts";
import { signSpec } from "../../src/cluster/spec-document.ts";
import type { StateStore, Stored } from "../../src/cluster/store.ts";
import { parseToken } from "../../src/cluster/token.ts";
import { isIssuedBy, shownTo, trustedCas } from "../../src/cluster/trust.ts";
import type { Packet } from "../../src/cluster/gossip/types.ts";
import type { Link, OpenPackets, PeerAddress, Serve, Transport } from "../../src/cluster/transport.ts";
import type { Clock } from "../../src/core/clock.ts";
import { failed } from "../../src/core/errors.ts";
import { checkSpec, roleLimit, seeded } from "./support.ts";

interface Sleeper {
  at: number;
  order: number;
  wake(): void;
}

/** One clock for all nodes; time passes only in `run`. */
export class SimClock implements Clock {
  private time = 0;
  private order = 0;
  private sleepers: Sleeper[] = [];

  now(): number {
    return this.time;
  }

  wall(): number {
    return 1_790_000_000_000 + this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const sleeper = { at: this.time + ms, order: this.order++, wake: resolve };
      this.sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper);
        reject(signal.reason as Error);
      });
    });
  }

  /** A pause of the whole machine: time goes by, and nobody gets to do anything in it. */
  pause(ms: number): void {
    this.time += ms;
  }

  /** Wakes the sleepers of the next `ms` one by one, and lets each do all it can before the next. */
  async run(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      this.sleepers.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.sleepers[0];
      if (!next || next.at > end) break;
      this.sleepers.shift();
      this.time = Math.max(this.time, next.at);
      next.wake();
      await settle();
    }
    this.time = end;
  }
}

/** All microtasks are done before the next macrotask begins. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Listener {
  serve: Serve;
  links: Set<Link>;
  holds: () => Credentials;
}

/** A network in memory with latency, cuts and stopped nodes: the same at every run with the same seed. */
export class SimNetwork {
  readonly clock = new SimClock();
  readonly random: () => number;
  private readonly listeners = new Map<string, Listener>();
  private readonly ports = new Map<string, (packet: Packet, from: number) => void>();
  private readonly cuts = new Set<string>();
  private readonly deaf = new Set<string>();
  private readonly stolen = new Map<string, (method: string) => void>();
  /** Questions asked so far, by method. */
  readonly asked = new Map<string, number>();
  private readonly closed = new Set<string>();

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  cut(side: readonly string[], other: readonly string[]): void {
    for (const a of side) for (const b of other) this.cuts.add(pair(a, b));
  }

  /** Nobody can connect to `address` any more (its port was closed), while it can still connect to others. */
  close(address: string): void {
    this.closed.add(address);
    for (const link of this.listeners.get(address)?.links ?? []) link.close();
  }

  /** The node at `address` was stolen: it answers with what this throws, if it does. */
  steal(address: string, answer: (method: string) => void): void {
    this.stolen.set(address, answer);
  }

  /** Connections that are open. */
  links(): number {
    return [...this.listeners.values()].reduce((sum, { links }) => sum + links.size, 0);
  }

  /** No datagram gets to `address`, nor from it, while TCP does. */
  blockDatagrams(address: string): void {
    this.deaf.add(address);
  }

  heal(): void {
    this.cuts.clear();
    this.closed.clear();
    this.deaf.clear();
  }

  /** What the node at `address`, with this certificate, sees of the network. */
  transport(address: string, identity: PeerIdentity, holds: () => Credentials): Transport {
    const shown = new Map<number, string>();
    return {
      listen: async (serve) => void this.listeners.set(address, { serve, links: new Set(), holds }),
      dial: (peer) => this.dial(address, { identity, holds, shown }, peer),
      knock: (peer) => this.dial(address, { identity: undefined, holds, shown }, peer),
      close: async () => {
        const listener = this.listeners.get(address);
        this.listeners.delete(address);
        for (const link of listener?.links ?? []) link.close();
      },
    };
  }

  /** How the node at `address` sends gossip's packets. */
  packets(address: string): OpenPackets {
    return ({ self, addressOf, receive }) => ({
      listen: async () => void this.ports.set(address, receive),
      send: (to, packet) => void this.carry(address, addressOf(to), packet, self),
      forget: () => undefined,
      refused: {},
      obstacle: undefined,
      close: () => void this.ports.delete(address),
    });
  }

  private async carry(from: string, to: string | undefined, packet: Packet, self: number): Promise<void> {
    if (to === undefined) return;
    const said = copy(packet) as Packet;
    await this.latency();
    if (this.cuts.has(pair(from, to)) || this.deaf.has(from) || this.deaf.has(to)) return;
    this.ports.get(to)?.(said, self);
  }

  private async dial(from: string, dialer: Dialer, peer: PeerAddress): Promise<Link> {
    await this.latency();
    if (this.cuts.has(pair(from, peer.address))) {
      await this.clock.sleep(1_500);
      throw peerUnreachable(peer.name, "no answer within 1.5 s");
    }
    const listener = this.listeners.get(peer.address);
    if (!listener || this.closed.has(peer.address)) throw peerUnreachable(peer.name, "connection refused");
    const { identity } = dialer;
    const isRefused = !agrees(dialer, listener.holds(), peer);
    const link = this.link(from, identity, peer, listener);
    // As TLS 1.3 does it: whom the other side refuses hears so after its own side was up.
    if (isRefused) link.close();
    return link;
  }

  private link(
    from: string,
    identity: PeerIdentity | undefined,
    peer: PeerAddress,
    listener: Listener,
  ): Link {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    let open = true;
    const passes = () => open && !this.cuts.has(pair(from, peer.address));
    const ask = async (method: string, params: unknown) => {
      this.asked.set(method, (this.asked.get(method) ?? 0) + 1);
      await this.latency();
      if (!passes()) return await new Promise(() => undefined);
      this.stolen.get(peer.address)?.(method);
      const answer = listener.serve(identity, method, framed(params)).then(
        (result) => () => framed(result),
        (error: unknown) => () => {
          throw error;
        },
      );
      const deliver = await answer;
      await this.latency();
      if (!passes()) return await new Promise(() => undefined);
      return deliver();
    };
    const link: Link = {
      closed,
      notify: (method, params) => void ask(method, params).catch(() => undefined),
      request: async (method, params, timeoutMs) => {
        const done = new AbortController();
        const timeout = this.clock.sleep(timeoutMs, done.signal).then(() => {
          throw failed("peer.timeout", `${peer.name} did not answer`);
        });
        const broken = closed.then(() => {
          throw peerUnreachable(peer.name, "the connection was closed");
        });
        for (const loser of [timeout, broken]) loser.catch(() => undefined);
        return await Promise.race([ask(method, params), timeout, broken]).finally(() => done.abort());
      },
      close: () => {
        open = false;
        listener.links.delete(link);
        resolve();
      },
    };
    listener.links.add(link);
    return link;
  }

  /** As a stranger does, over a connection without a certificate. */
  async join(door: string, request: unknown): Promise<unknown> {
    const listener = this.listeners.get(door);
    if (!listener) throw peerUnreachable(door, "connection refused");
    return framed(await listener.serve(undefined, "join", request));
  }

  private latency(): Promise<void> {
    return this.clock.sleep(0.2 + this.random() * 2);
  }
}

interface Dialer {
  /** Undefined: it shows no certificate. */
  identity: PeerIdentity | undefined;
  holds: () => Credentials;
  shown: Map<number, string>;
}

/** By certificates, as TlsTransport does it. @throws ChimeError `peer.impostor` @returns whether the dialer is taken */
function agrees({ identity, holds, shown }: Dialer, server: Credentials, peer: PeerAddress): boolean {
  const newest = trustedCas(holds()).at(-1) as string;
  const { certificate } = shownTo(server, caHash(newest));
  if (!isTaken(certificate, holds()))
    throw failed("peer.impostor", `${peer.name} shows another CA's certificate`);
  const client = shownTo(holds(), shown.get(peer.index)).certificate;
  if (issued(certificate, newest)) shown.set(peer.index, caHash(newest));
  return identity === undefined || isTaken(client, server);
}

/** Whether who holds these credentials takes such a certificate. */
export function isTaken(certificate: string, by: Credentials): boolean {
  return trustedCas(by).some((ca) => issued(certificate, ca));
}

const verdicts = new Map<string, boolean>();
function issued(certificate: string, ca: string): boolean {
  const key = certificate + ca;
  const known = verdicts.get(key) ?? isIssuedBy(certificate, ca);
  verdicts.set(key, known);
  return known;
}

function pair(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

function copy(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** As it comes through a connection, whose other side closes it for what is too large. */
function framed(value: unknown): unknown {
  if (encodeFrame(value ?? null).length > peerFrameBytes - 100)
    throw peerUnreachable("a peer", "too large a frame");
  return copy(value);
}

/** One simulated machine: what is on its disk outlives its agent. */
export class SimNode {
  readonly name: string;
  readonly address: string;
  credentials: Credentials;
  membership: ClusterMembership | undefined;
  private readonly net: SimNetwork;
  private stored: Stored;

  constructor(net: SimNetwork, credentials: Credentials, state: StateParts) {
    this.net = net;
    this.credentials = credentials;
    this.name = credentials.identity.self.name;
    this.address = credentials.identity.self.address;
    this.stored = { incarnation: 0, state };
  }

  get agent(): ClusterMembership {
    if (!this.membership) throw new Error(`${this.name} is stopped`);
    return this.membership;
  }

  async start(): Promise<this> {
    const store: StateStore = {
      load: async () => copy(this.stored) as Stored,
      save: async (stored) => void (this.stored = copy(stored) as Stored),
    };
    const { name, index } = this.credentials.identity.self;
    const identity = { name, index, publicKey: this.credentials.key.publicKey };
    this.membership = await ClusterMembership.start({
      credentials: () => this.credentials,
      secrets: () => ({}),
      store,
      transport: this.net.transport(this.address, identity, () => this.credentials),
      packets: this.net.packets(this.address),
      clock: this.net.clock,
      random: this.net.random,
      binaryVersion: "0.1.0",
      roleLimit,
      checkSpec,
    });
    return this;
  }

  async stop(): Promise<void> {
    await this.membership?.stop();
    this.membership = undefined;
  }

  /** While it is stopped: what its state file holds besides. */
  know(parts: Pick<StateParts, "admissions" | "records">): void {
    const { state } = this.stored;
    this.stored.state = {
      ...state,
      admissions: [...state.admissions, ...parts.admissions],
      records: [...state.records, ...parts.records],
    };
  }

  /** What its state file holds. */
  known(): StateParts {
    return this.stored.state;
  }

  /** Its state file is lost. */
  forget(): void {
    this.stored = { incarnation: 0, state: { admissions: [], records: [], tokens: [], spec: null } };
  }

  /** What it says of each member. */
  view(): Record<string, string> {
    return Object.fromEntries(this.agent.members().map((m) => [m.name, m.state]));
  }
}

/** The first node, as createCluster makes it, without a disk. */
export async function simCluster(net: SimNetwork): Promise<SimNode> {
  const cluster = { name: "chime", id: "0123456789abcdef" };
  const self = { name: "n1", index: 1, address: "10.0.0.1" };
  const key = generateKey();
  const now = net.clock.wall();
  const authority = createAuthority(cluster, now);
  const node = { ...self, publicKey: key.publicKey };
  const admission = signAdmission(authority.key, cluster.id, {
    ...node,
    witness: false,
    roles: [],
    left: false,
  });
  const spec = signSpec(key.privateKey, cluster.id, { version: 1, toml: "# 1\n", publisher: "n1" });
  const credentials: Credentials = {
    identity: { cluster, self },
    ca: authority.cert,
    caKey: authority.key,
    certificate: certifyNode(authority, cluster, node, now),
    key,
    keyRing: firstRing(randomBytes(32).toString("base64")),
  };
  return await new SimNode(net, credentials, {
    admissions: [admission],
    records: [],
    tokens: [],
    spec,
  }).start();
}

/** Lets a node in through the door of another, and starts it. Time must pass meanwhile: `net.clock.run`. */
export async function simJoin(
  net: SimNetwork,
  door: SimNode,
  token: string,
  name: string,
  address: string,
  roles: readonly string[],
  key: KeyPair = generateKey(),
): Promise<SimNode> {
  const { id, secret } = parseToken(token);
  const unsigned = {
    token: { id, secret },
    name,
    address,
    roles: [...roles],
    publicKey: key.publicKey,
    wall: net.clock.wall(),
    protocol: protocolVersion,
    binaryVersion: "0.1.0",
  };
  const possession = signFields(key.privateKey, possessionFields(unsigned));
  const answer = v.parse(joinAnswer, await net.join(door.address, { ...unsigned, possession }));
  const identity = { cluster: answer.cluster, self: { name, index: answer.index, address } };
  const credentials = joinedWith(answer, identity, key);
  return await new SimNode(net, credentials, answer.state).start();
}

/** Lets time pass until the promise is done. */
export async function passing<T>(net: SimNetwork, promise: Promise<T>): Promise<T> {
  const over = promise.then(
    () => true,
    () => true,
  );
  const step = () => net.clock.run(10).then(() => false);
  for (let steps = 0; steps < 2_000; steps++) if (await Promise.race([over, step()])) break;
  return await promise;
}

export interface Simulation {
  net: SimNetwork;
  nodes: SimNode[];
  token: string;
}

/** One that holds the CA, and witnesses: nobody is close to anybody, and what they know of each other, gossip brings. */
export async function simWitnesses(count: number, seed = 1): Promise<Simulation> {
  const net = new SimNetwork(seed);
  const first = await simCluster(net);
  const { token } = await passing(net, first.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] }));
  const nodes = [first];
  for (let n = 2; n <= count; n++) {
    nodes.push(await passing(net, simJoin(net, first, token, `n${n}`, `10.0.0.${n}`, ["witness"])));
  }
  await net.clock.run(3_000);
  return { net, nodes, token };
}
