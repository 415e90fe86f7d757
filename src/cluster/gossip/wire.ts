import { log } from "../../core/log.ts";
import type { RingKey } from "./keyring.ts";
import { decodePacket, encodePacket } from "./packet.ts";
import { maxPlainBytes, Opener, refusals, Sealer, type Refusal, type SealOptions } from "./seal.ts";
import type { Packet } from "./types.ts";
import { openUdp, type Datagrams } from "./udp.ts";

export interface WireOptions extends SealOptions {
  /** Monotonic, ms. */
  now: () => number;
  /** A member's address; undefined: there is no such member. */
  addressOf: (index: number) => string | undefined;
  keys: WireKeys;
  /** What a member sent. */
  receive: (packet: Packet, from: number) => void;
}

/** The part of the key ring that datagrams need. */
export interface WireKeys {
  /** The key that a member opens with. */
  sealing(member: number): RingKey;
  /** One of the keys that this node opens with; undefined: it has none of that id. */
  opening(id: string): RingKey | undefined;
}

/** Gossip's packets as sealed datagrams. What comes in and is refused is counted by its reason, and never answered. */
export class Wire {
  readonly #options: WireOptions;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #refused = Object.fromEntries(refusals.map((why) => [why, 0])) as Record<Refusal, number>;
  #datagrams: Datagrams | undefined;

  constructor(options: WireOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options);
    this.#opener = new Opener({ ...options, key: (id) => options.keys.opening(id) });
  }

  async listen(host: string, port: number): Promise<void> {
    const receive = (bytes: Uint8Array, address: string) => this.receive(bytes, address);
    this.#datagrams = await openUdp({ host, port, receive });
  }

  /** Why there are no datagrams here, as the system's code; undefined: there are. */
  get obstacle(): string | undefined {
    return this.#datagrams?.obstacle;
  }

  /** Best effort. */
  send(to: number, packet: Packet): void {
    const address = this.#options.addressOf(to);
    if (address === undefined) return;
    const plain = encodePacket(packet);
    if (plain.length > maxPlainBytes) {
      log.error(`a ${packet.kind} of ${plain.length} bytes fits into no datagram`);
      return;
    }
    this.#datagrams?.send(this.#sealer.seal(this.#options.keys.sealing(to), to, plain), address);
  }

  /** A datagram came in. Never throws for what is in it. */
  receive(bytes: Uint8Array, address: string): void {
    const opened = this.#opener.open(bytes, address);
    if ("refused" in opened) return void this.#refused[opened.refused]++;
    const packet = decodePacket(opened.plain);
    if (!packet) return void this.#refused.packet++;
    this.#options.receive(packet, opened.from);
  }

  /** Datagrams that were refused since the start, by reason. */
  get refused(): Readonly<Record<Refusal, number>> {
    return this.#refused;
  }

  /** Times that more came in than is looked at. */
  get floods(): number {
    return this.#datagrams?.floods ?? 0;
  }

  /** To be called when somebody is no member any more. */
  forget(): void {
    this.#opener.retain((index) => this.#options.addressOf(index) !== undefined);
  }

  close(): void {
    this.#datagrams?.close();
  }
}
