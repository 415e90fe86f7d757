import { Allowance } from "./gossip/allowance.ts";

/**
 * New connections a second that may begin a TLS handshake, which costs about 1 ms of a core: of one stranger's address, of
 * all of them, and of one address at which a member is (a user of its machine who is nobody in particular has it, too).
 */
const perStranger = 8;
const perStrangers = 48;
const perMember = 32;
/** Addresses that are remembered. A sender that makes up its address gets no connection, so these are real machines. */
const mostAddresses = 4096;

/** Who may come in now: however many connect, the handshakes of strangers take a few hundredths of a core. */
export class Crowd {
  readonly #now: () => number;
  readonly #strangers: Allowance;
  readonly #members = new Set<string>();
  /** By address, the one that came longest ago first. */
  readonly #known = new Map<string, Allowance>();

  /** @param now monotonic, ms */
  constructor(now: () => number) {
    this.#now = now;
    this.#strangers = new Allowance(perStrangers, now);
  }

  /** A member is at that address: no crowd of strangers takes its turn. */
  expect(address: string): void {
    if (this.#members.size < mostAddresses) this.#members.add(address);
  }

  /** Whether one more connection from there may go on. */
  admits(address: string): boolean {
    const isMember = this.#members.has(address);
    const own = this.#known.get(address) ?? new Allowance(isMember ? perMember : perStranger, this.#now);
    this.#known.delete(address);
    this.#known.set(address, own);
    const [longestAgo] = this.#known.keys();
    if (this.#known.size > mostAddresses && longestAgo !== undefined) this.#known.delete(longestAgo);
    return own.take() && (isMember || this.#strangers.take());
  }
}
