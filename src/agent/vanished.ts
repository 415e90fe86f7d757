import type { Liveness } from "../cluster/types.ts";
import { log } from "../core/log.ts";
import { whoHas } from "../host/arp.ts";
import { cutOff, cutOffNow, letThrough, type Endpoint } from "../host/cut-off.ts";
import type { Facts } from "../host/facts.ts";
import { inSubnet } from "../host/ipv4.ts";

/** A server on another member, which this node's own servers and its balancer are connected to. */
export interface Neighbour extends Endpoint {
  node: string;
  state: Liveness;
}

/** What it takes of the host; tests put a network of their own in its place. */
export interface Network {
  /** Whether any of the machine is left: it answers for its address. */
  isThere(address: string): Promise<boolean>;
  cutOff(endpoint: Endpoint): Promise<void>;
  letThrough(endpoint: Endpoint): Promise<void>;
  cutOffNow(): Promise<Endpoint[]>;
}

/**
 * A member is suspected after 0.4 s of silence. With three questions in so many ms more, a machine has missed five beats
 * and three ARP probes before it is cut off: sooner would do so to one that only paused, and a store that lost its
 * connections takes longer to be whole again than that.
 */
const askMs = 900;

/** What somebody is using cannot be tidied up at once; a minute later stores do so by themselves. */
const tellings = 30;

/** The network that this machine is in. One behind a router cannot be asked: it is always taken to be there. */
export function hostNetwork({ interfaces }: Pick<Facts, "interfaces">): Network {
  return {
    cutOff,
    letThrough,
    cutOffNow,
    async isThere(address) {
      const shared = interfaces.find(({ addresses }) =>
        addresses.some((own) => own.prefix < 32 && inSubnet(address, own.address, own.prefix)),
      );
      return (
        shared === undefined || (await whoHas([address], shared.name, { timeoutMs: askMs })).has(address)
      );
    },
  };
}

/**
 * Tells this node's servers of machines that vanished (power, cable): a store waits up to half a minute for each of its
 * requests to one. A member that falls silent is asked for by ARP, which also a machine answers whose agent alone is
 * dead; one that does not answer is cut off. As soon as anything is heard of it again it is let through.
 */
export class Vanished {
  readonly #network: Network;
  readonly #neighbours: () => readonly Neighbour[];
  readonly #onGone: (node: string) => Promise<void>;
  readonly #cut = new Map<string, Endpoint>();
  /** How often the roles were told of a node that is gone. */
  readonly #told = new Map<string, number>();
  readonly #telling = new Set<string>();
  #adopted: Promise<void> | undefined;
  #looking: Promise<void> | undefined;

  /** @param onGone at the first looks, about a second each, after a node was cut off; one call a node at a time */
  constructor(
    network: Network,
    neighbours: () => readonly Neighbour[],
    onGone: (node: string) => Promise<void>,
  ) {
    this.#network = network;
    this.#neighbours = neighbours;
    this.#onGone = onGone;
  }

  /** At each change of the membership, and each second. One look at a time: those who come meanwhile share it. */
  look(): Promise<void> {
    return (this.#looking ??= this.#lookNow().finally(() => (this.#looking = undefined)));
  }

  async #lookNow(): Promise<void> {
    const neighbours = this.#neighbours();
    if (neighbours.length === 0 && this.#cut.size === 0) return;
    await (this.#adopted ??= this.#adopt());
    const silent = neighbours.filter(({ state }) => state === "suspect" || state === "dead");
    const addresses = [...new Set(silent.map(({ address }) => address))];
    const there = new Map(
      await Promise.all(
        addresses.map(async (address) => [address, await this.#network.isThere(address)] as const),
      ),
    );
    // Asking took a while.
    const now = this.#neighbours().filter(({ state }) => state === "suspect" || state === "dead");
    const gone = now.filter(({ address }) => there.get(address) === false);
    for (const neighbour of gone) await this.#cutOff(neighbour);
    const keep = new Set(gone.map(key));
    for (const endpoint of this.#cut.values()) {
      if (!keep.has(key(endpoint))) await this.#letThrough(endpoint);
    }
    const nodes = new Set(gone.map(({ node }) => node));
    for (const node of this.#told.keys()) if (!nodes.has(node)) this.#told.delete(node);
    for (const node of nodes) {
      const told = this.#told.get(node) ?? 0;
      if (told === tellings) continue;
      if (!this.#telling.has(node)) void this.#tell(node, told + 1);
    }
  }

  /** An agent that was killed may have left some cut off. */
  async #adopt(): Promise<void> {
    try {
      for (const endpoint of await this.#network.cutOffNow()) this.#cut.set(key(endpoint), endpoint);
    } catch (error) {
      this.#adopted = undefined;
      throw error;
    }
  }

  /** Beside the looks: it may take long, and who is back meanwhile is let through at once. */
  async #tell(node: string, time: number): Promise<void> {
    this.#told.set(node, time);
    this.#telling.add(node);
    try {
      await this.#onGone(node);
    } catch (error) {
      log.warn(`${node} has vanished:`, error);
    } finally {
      this.#telling.delete(node);
    }
  }

  async #cutOff({ node, address, port }: Neighbour): Promise<void> {
    if (this.#cut.has(key({ address, port }))) return;
    log.warn(`${node} (${address}) has vanished: nothing here waits for its port ${port} any more`);
    await this.#network.cutOff({ address, port });
    this.#cut.set(key({ address, port }), { address, port });
  }

  async #letThrough(endpoint: Endpoint): Promise<void> {
    await this.#network.letThrough(endpoint);
    this.#cut.delete(key(endpoint));
    log.info(`port ${endpoint.port} of ${endpoint.address} may be connected to again`);
  }

  /** Nobody watches from now on. */
  async stop(): Promise<void> {
    await this.#looking?.catch(() => undefined);
    for (const endpoint of this.#cut.values()) await this.#letThrough(endpoint);
  }
}

function key({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}
