import { firstRing, keysOf, nextRing, sealingKey, type KeyRing } from "../../src/cluster/gossip/keyring.ts";
import { decodePacket, encodePacket } from "../../src/cluster/gossip/packet.ts";
import { Opener, refusals, Sealer, type Refusal } from "../../src/cluster/gossip/seal.ts";
import type { Packet } from "../../src/cluster/gossip/types.ts";
import type { Agenda } from "./agenda.ts";
import type { Sealing } from "./node.ts";

const wallEpoch = 1_790_000_000_000;

/** The real seal, with a key ring and a wall clock for each node. */
export class SealedWire implements Sealing {
  readonly refused = Object.fromEntries(refusals.map((why) => [why, 0])) as Record<Refusal, number>;
  /** What somebody on the way wrote down. */
  readonly recorded: { to: number; bytes: Uint8Array }[] = [];
  private readonly rings = new Map<number, KeyRing>();
  private readonly offsets = new Map<number, number>();
  private readonly sealers = new Map<number, Sealer>();
  private readonly openers = new Map<number, Opener>();

  constructor(agenda: Agenda, members: readonly number[], key: string) {
    for (const self of members) {
      const wall = () => wallEpoch + agenda.now + (this.offsets.get(self) ?? 0);
      const options = { self, cluster: "c", wall };
      const now = () => agenda.now;
      const addressOf = (index: number) => (members.includes(index) ? "10.0.0.1" : undefined);
      const keyOf = (id: string) => keysOf(this.ring(self)).find((one) => one.id === id);
      this.rings.set(self, firstRing(key));
      this.sealers.set(self, new Sealer(options));
      this.openers.set(self, new Opener({ ...options, now, addressOf, key: keyOf }));
    }
  }

  ring(of: number): KeyRing {
    return this.rings.get(of) as KeyRing;
  }

  /** The next stage of a rotation reaches this node. */
  advance(node: number, fresh: string): void {
    const next = nextRing(this.ring(node), fresh);
    if (next) this.rings.set(node, { ...next, signature: null });
  }

  /** Its wall clock is set. */
  setClock(node: number, offsetMs: number): void {
    this.offsets.set(node, offsetMs);
  }

  seal(from: number, to: number, packet: Packet): Uint8Array {
    const sealer = this.sealers.get(from) as Sealer;
    const bytes = sealer.seal(sealingKey(this.ring(from)), to, encodePacket(packet));
    if (this.recorded.length < 500) this.recorded.push({ to, bytes });
    return bytes;
  }

  open(to: number, bytes: Uint8Array): { packet: Packet; from: number } | undefined {
    const opened = (this.openers.get(to) as Opener).open(bytes, "10.0.0.1");
    if ("refused" in opened) {
      this.refused[opened.refused]++;
      return undefined;
    }
    const packet = decodePacket(opened.plain);
    if (!packet) this.refused.packet++;
    return packet && { packet, from: opened.from };
  }
}
