import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { Allowance } from "./allowance.ts";
import type { RingKey } from "./keyring.ts";
import { ReplayWindow } from "./replay.ts";

/**
 * A sealed datagram: header, ciphertext, tag (16). The header, numbers big-endian:
 *
 *     version 1 | key id 4 | sender's index 4 | session 8 | counter 6 | sender's wall clock 6, ms
 *
 * AES-256-GCM with a key of the session alone, and counter and clock as the nonce: a sender counts its packets up and draws
 * its session at its start, so no nonce comes twice. Header and receiver's index are authenticated with it: what is sent
 * to one member tells another one nothing.
 */
const version = 1;
const at = { version: 0, key: 1, sender: 5, session: 9, counter: 17, wall: 23, end: 29 } as const;
const tagBytes = 16;

/** With headers of IPv6 and UDP this passes every link whose MTU is 1,448 or more, as a tunnel's. */
export const maxDatagramBytes = 1_400;
/** The largest packet that fits into a datagram once it is sealed. */
export const maxPlainBytes = maxDatagramBytes - at.end - tagBytes;

/** As much as the clocks of a joiner and the cluster may differ (admission.ts). */
export const clockWindowMs = 60_000;
/**
 * Sessions of one sender that are remembered: an agent that starts more often than this while the clock lets its old
 * packets in is not heard by UDP for that while.
 */
const maxSessions = 8;
/** Forged packets that are found out a second: a packet takes about 20 µs, so this is 2 % of a core. */
const vainPerSecond = 1_000;
/** The same of packets from addresses that no member of that index has. A node may have several addresses. */
const elsewherePerSecond = 50;

/** Why a datagram is not answered. Counted, and told to nobody. */
export const refusals = [
  /** Shorter or longer than any of ours. */
  "size",
  /** Another version than ours, or none of it at all. */
  "version",
  /** Its sender is no member, or this node itself. */
  "sender",
  /** Sealed with a key that this node does not have: of another cluster, or rotated meanwhile. */
  "key",
  /** Sender and receiver have clocks that are too far apart, or it was recorded a while ago. */
  "clock",
  /** Seen before, or much older than others of its session. */
  "replayed",
  /** Enough was opened in vain in this second. */
  "busy",
  /** Made or changed by somebody without the key, or meant for another node. */
  "forged",
  /** Its sender has started too often in the last minutes. */
  "sessions",
  /** Sealed by a member, and no packet that this version knows. */
  "packet",
] as const;
export type Refusal = (typeof refusals)[number];

export interface SealOptions {
  /** This node's index. */
  self: number;
  /** The cluster's id. */
  cluster: string;
  /** Wall clock, ms since the epoch. */
  wall: () => number;
}

export interface OpenOptions extends SealOptions {
  /** Monotonic, ms. */
  now: () => number;
  /** A member's address; undefined: there is no such member. */
  addressOf: (index: number) => string | undefined;
  /** One of the keys that open, by its id. */
  key: (id: string) => RingKey | undefined;
}

function sessionKey(ring: RingKey, session: Uint8Array, sender: number, cluster: string): Buffer {
  const info = `chime gossip ${version} ${sender} ${cluster}`;
  return Buffer.from(hkdfSync("sha256", ring.secret, session, info, 32));
}

/** What is authenticated beside the content. */
function associated(header: Uint8Array, receiver: number): Buffer {
  const data = Buffer.allocUnsafe(at.end + 4);
  data.set(header);
  data.writeUInt32BE(receiver, at.end);
  return data;
}

/** Derived keys of one session, by their ring key: two while a rotation goes on. */
type Derived = { ring: RingKey; key: Buffer }[];
const maxDerived = 4;

function remember(derived: Derived, ring: RingKey, key: Buffer): void {
  derived.unshift({ ring, key });
  derived.length = Math.min(derived.length, maxDerived);
}

/** Seals what this agent sends. One a start: the session is drawn with it. */
export class Sealer {
  readonly #options: SealOptions;
  readonly #session = randomBytes(8);
  readonly #derived: Derived = [];
  #counter = 0;

  constructor(options: SealOptions) {
    this.#options = options;
  }

  /** @param plain at most `maxPlainBytes` */
  seal(ring: RingKey, receiver: number, plain: Uint8Array): Buffer {
    if (plain.length > maxPlainBytes) throw new RangeError(`a packet of ${plain.length} bytes`);
    const { self, wall } = this.#options;
    const out = Buffer.allocUnsafe(at.end + plain.length + tagBytes);
    out[at.version] = version;
    out.write(ring.id, at.key, "hex");
    out.writeUInt32BE(self, at.sender);
    out.set(this.#session, at.session);
    out.writeUIntBE(this.#counter++, at.counter, 6);
    out.writeUIntBE(Math.trunc(wall()), at.wall, 6);
    const header = out.subarray(0, at.end);
    const cipher = createCipheriv("aes-256-gcm", this.#key(ring), header.subarray(at.counter), {
      authTagLength: tagBytes,
    });
    cipher.setAAD(associated(header, receiver));
    out.set(cipher.update(plain), at.end);
    cipher.final();
    out.set(cipher.getAuthTag(), out.length - tagBytes);
    return out;
  }

  #key(ring: RingKey): Buffer {
    const known = this.#derived.find((one) => one.ring.id === ring.id);
    if (known) return known.key;
    const { self, cluster } = this.#options;
    const key = sessionKey(ring, this.#session, self, cluster);
    remember(this.#derived, ring, key);
    return key;
  }
}

interface Session {
  id: Buffer;
  window: ReplayWindow;
  derived: Derived;
  /** On the monotonic clock, when it was last heard. */
  heardAt: number;
}

export type Opened = { from: number; plain: Buffer } | { refused: Refusal };

/**
 * Opens what comes in. All that is cheap to see is looked at before anything is decrypted, and nothing is remembered of
 * what is not authentic. A session is remembered for as long as the clock would let a copy of its packets in.
 */
export class Opener {
  readonly #options: OpenOptions;
  readonly #sessions = new Map<number, Session[]>();
  readonly #near: Allowance;
  readonly #elsewhere: Allowance;

  constructor(options: OpenOptions) {
    this.#options = options;
    this.#near = new Allowance(vainPerSecond, options.now);
    this.#elsewhere = new Allowance(elsewherePerSecond, options.now);
  }

  /** Never throws. @param address where it came from */
  open(bytes: Uint8Array, address: string): Opened {
    const { self, addressOf, key, wall, now } = this.#options;
    if (bytes.length <= at.end + tagBytes || bytes.length > maxDatagramBytes) return { refused: "size" };
    const datagram = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (datagram[at.version] !== version) return { refused: "version" };
    const from = datagram.readUInt32BE(at.sender);
    const home = from === self ? undefined : addressOf(from);
    if (home === undefined) return { refused: "sender" };
    const ring = key(datagram.toString("hex", at.key, at.sender));
    if (!ring) return { refused: "key" };
    if (Math.abs(datagram.readUIntBE(at.wall, 6) - wall()) > clockWindowMs) return { refused: "clock" };
    const id = datagram.subarray(at.session, at.counter);
    const counter = datagram.readUIntBE(at.counter, 6);
    const session = this.#sessions.get(from)?.find((one) => one.id.equals(id));
    if (session && !session.window.isNew(counter)) return { refused: "replayed" };
    const allowance = home === address ? this.#near : this.#elsewhere;
    if (!allowance.take()) return { refused: "busy" };
    const cached = session?.derived.find((one) => one.ring.id === ring.id)?.key;
    const derived = cached ?? sessionKey(ring, id, from, this.#options.cluster);
    const plain = decrypt(derived, datagram, self);
    if (!plain) return { refused: "forged" };
    allowance.giveBack();
    const kept = session ?? this.#keep(from, id);
    if (!kept) return { refused: "sessions" };
    if (!cached) remember(kept.derived, ring, derived);
    kept.window.take(counter);
    kept.heardAt = now();
    return { from, plain };
  }

  /** Undefined where there is no room: what would have to give way could be played back. */
  #keep(from: number, id: Buffer): Session | undefined {
    const now = this.#options.now();
    // Its last packet was at most one window ahead of our clock, and copies of it are let in for one window more.
    const all = (this.#sessions.get(from) ?? []).filter((one) => now - one.heardAt <= 2 * clockWindowMs);
    this.#sessions.set(from, all);
    if (all.length >= maxSessions) return undefined;
    const session = { id: Buffer.from(id), window: new ReplayWindow(), derived: [], heardAt: now };
    all.push(session);
    return session;
  }

  /** Forgets those that are no members any more. */
  retain(isMember: (index: number) => boolean): void {
    for (const from of this.#sessions.keys()) if (!isMember(from)) this.#sessions.delete(from);
  }
}

function decrypt(key: Buffer, datagram: Buffer, receiver: number): Buffer | undefined {
  const header = datagram.subarray(0, at.end);
  const decipher = createDecipheriv("aes-256-gcm", key, header.subarray(at.counter), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(associated(header, receiver));
  decipher.setAuthTag(datagram.subarray(-tagBytes));
  const plain = decipher.update(datagram.subarray(at.end, -tagBytes));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}
