import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { firstRing, keysOf, type RingKey } from "../../../src/cluster/gossip/keyring.ts";
import { replayWidth } from "../../../src/cluster/gossip/replay.ts";
import {
  clockWindowMs,
  maxDatagramBytes,
  maxPlainBytes,
  Opener,
  Sealer,
  type Opened,
} from "../../../src/cluster/gossip/seal.ts";
import { seeded } from "../support.ts";

const isLong = process.env["CHIME_LONG"] !== undefined;
const cluster = "0123456789abcdef";
const [sender, receiver] = [1, 2];
const home = "10.0.0.1";

const newKey = (): RingKey => keysOf(firstRing(randomBytes(32).toString("base64")))[0] as RingKey;
const key = newKey();

/** Two nodes and what they share; all of it may be changed by a test. */
function pair() {
  const world = { wall: 1_790_000_000_000, now: 5_000, keys: [key] };
  const common = { cluster, wall: () => world.wall };
  const sealer = (self = sender, of = cluster) => new Sealer({ ...common, self, cluster: of });
  const opener = (self = receiver) =>
    new Opener({
      ...common,
      self,
      now: () => world.now,
      addressOf: (index) => (index >= 1 && index <= 3 ? `10.0.0.${index}` : undefined),
      key: (id) => world.keys.find((one) => one.id === id),
    });
  return { world, sealer, opener };
}

const text = (opened: Opened) => ("plain" in opened ? opened.plain.toString() : opened.refused);
const plain = Buffer.from('{"kind":"ping"}');

describe("a sealed datagram", () => {
  test("is opened by who it is for, and shows nothing of its content", () => {
    const { sealer, opener } = pair();
    const sealed = sealer().seal(key, receiver, plain);
    expect(sealed.includes("ping")).toBe(false);
    expect(opener().open(sealed, home)).toEqual({ from: sender, plain });
  });

  test("of the largest packet is no larger than a datagram may be", () => {
    const { sealer, opener } = pair();
    const sealed = sealer().seal(key, receiver, Buffer.alloc(maxPlainBytes, "x"));
    expect(sealed.length).toBe(maxDatagramBytes);
    expect(text(opener().open(sealed, home))).toBe("x".repeat(maxPlainBytes));
    expect(() => sealer().seal(key, receiver, Buffer.alloc(maxPlainBytes + 1))).toThrow(RangeError);
  });

  test("never has the nonce and the key of another one", () => {
    const { sealer } = pair();
    const [one, two] = [sealer(), sealer()];
    const sealed = [one, one, two, two].map((from) => from.seal(key, receiver, plain));
    // Session, counter and clock.
    expect(new Set(sealed.map((bytes) => bytes.subarray(9, 29).toString("hex"))).size).toBe(4);
    expect(new Set(sealed.map((bytes) => bytes.subarray(29).toString("hex"))).size).toBe(4);
  });

  test("is refused after a change of any bit, and the true one is taken afterwards", () => {
    const { world, sealer, opener } = pair();
    const one = opener();
    const from = sealer();
    expect(text(one.open(from.seal(key, receiver, plain), home))).toBe(plain.toString());
    for (const isKnown of [true, false]) {
      const sealed = (isKnown ? from : sealer()).seal(key, receiver, plain);
      const reasons = new Set<string>();
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const changed = Buffer.from(sealed);
        changed[bit >>> 3] = (changed[bit >>> 3] as number) ^ (1 << (bit & 7));
        const opened = one.open(changed, home);
        if (!("refused" in opened)) throw new Error(`bit ${bit} may be changed`);
        reasons.add(opened.refused);
        world.now += 100;
      }
      // `clock`: the upper bits of its time; `replayed`: a lower counter of the session that is known.
      expect([...reasons].sort()).toEqual(
        ["clock", "forged", "key", ...(isKnown ? ["replayed"] : []), "sender", "version"].sort(),
      );
      expect(text(one.open(sealed, home))).toBe(plain.toString());
    }
  });

  test("is refused where it comes again, and where it goes to another member", () => {
    const { sealer, opener } = pair();
    const one = opener();
    const sealed = sealer().seal(key, receiver, plain);
    expect(text(one.open(sealed, home))).toBe(plain.toString());
    expect(text(one.open(sealed, home))).toBe("replayed");
    expect(text(opener(3).open(sealed, home))).toBe("forged");
  });

  test("may be overtaken by as many as the window is wide", () => {
    const { sealer, opener } = pair();
    const [from, one] = [sealer(), opener()];
    const sealed = Array.from({ length: replayWidth + 1 }, (_, i) =>
      from.seal(key, receiver, Buffer.from(`${i}`)),
    );
    const [first, second] = sealed as [Buffer, Buffer];
    expect(text(one.open(sealed.at(-1) as Buffer, home))).toBe(`${replayWidth}`);
    expect(text(one.open(first, home))).toBe("replayed");
    expect(text(one.open(second, home))).toBe("1");
    expect(text(one.open(second, home))).toBe("replayed");
  });

  test("is refused from another cluster, or under another key, or by another sender's name", () => {
    const { sealer, opener } = pair();
    const one = opener();
    expect(text(one.open(sealer(sender, "fedcba9876543210").seal(key, receiver, plain), home))).toBe(
      "forged",
    );
    expect(text(one.open(sealer().seal(newKey(), receiver, plain), home))).toBe("key");
    const disguised = { ...newKey(), id: key.id };
    expect(text(one.open(sealer().seal(disguised, receiver, plain), home))).toBe("forged");
    const renamed = sealer(3).seal(key, receiver, plain);
    renamed.writeUInt32BE(sender, 5);
    expect(text(one.open(renamed, home))).toBe("forged");
    expect(text(one.open(sealer(4).seal(key, receiver, plain), home))).toBe("sender");
    expect(text(one.open(sealer(receiver).seal(key, receiver, plain), home))).toBe("sender");
  });

  test("is refused while the clocks are too far apart, and taken up to that", () => {
    const { world, sealer, opener } = pair();
    const [from, one] = [sealer(), opener()];
    for (const [skew, expected] of [
      [clockWindowMs, plain.toString()],
      [-clockWindowMs, plain.toString()],
      [clockWindowMs + 1, "clock"],
      [-clockWindowMs - 1, "clock"],
    ] as const) {
      world.wall += skew;
      const sealed = from.seal(key, receiver, plain);
      world.wall -= skew;
      expect(text(one.open(sealed, home))).toBe(expected);
    }
  });
});

describe("sessions", () => {
  test("go on beside each other, before and after a restart of the sender", () => {
    const { sealer, opener } = pair();
    const one = opener();
    const [before, after] = [sealer(), sealer()];
    const late = before.seal(key, receiver, Buffer.from("late"));
    for (const from of [before, after]) {
      expect(text(one.open(from.seal(key, receiver, plain), home))).toBe(plain.toString());
    }
    expect(text(one.open(late, home))).toBe("late");
    expect(text(one.open(late, home))).toBe("replayed");
  });

  test("are kept for as long as the clock would let their packets in again", () => {
    const { world, sealer, opener } = pair();
    const one = opener();
    // The sender's clock is ahead as far as it may be.
    world.wall += clockWindowMs;
    const recorded = sealer().seal(key, receiver, plain);
    world.wall -= clockWindowMs;
    expect(text(one.open(recorded, home))).toBe(plain.toString());
    const fill = () => text(one.open(sealer().seal(key, receiver, plain), home));
    for (let start = 1; start < 8; start++) expect(fill()).toBe(plain.toString());
    expect(fill()).toBe("sessions");
    let waited = 0;
    for (; waited < 300 && fill() === "sessions"; waited++) {
      expect(["replayed", "clock"]).toContain(text(one.open(recorded, home)));
      world.now += 1_000;
      world.wall += 1_000;
    }
    expect(waited * 1_000).toBe(2 * clockWindowMs + 1_000);
    expect(text(one.open(recorded, home))).toBe("clock");
  });

  test("go on through a rotation, and a counter counts under all keys", () => {
    const { world, sealer, opener } = pair();
    const [from, one, next] = [sealer(), opener(), newKey()];
    world.keys = [key, next];
    const sealed = [key, next, key, next].map((by) => from.seal(by, receiver, plain));
    for (const bytes of sealed) expect(text(one.open(bytes, home))).toBe(plain.toString());
    for (const bytes of sealed) expect(text(one.open(bytes, home))).toBe("replayed");
    world.keys = [next];
    expect(text(one.open(from.seal(key, receiver, plain), home))).toBe("key");
    expect(text(one.open(from.seal(next, receiver, plain), home))).toBe(plain.toString());
  });

  test("of who is no member any more are forgotten", () => {
    const { sealer, opener } = pair();
    const one = opener();
    const sealed = sealer().seal(key, receiver, plain);
    one.open(sealed, home);
    one.retain((index) => index !== sender);
    // As its address is still known here, what shows is that nothing of it is.
    expect(text(one.open(sealed, home))).toBe(plain.toString());
  });
});

describe("work in vain", () => {
  const forged = (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    randomBytes(8).copy(copy, 9);
    return copy;
  };

  test("is done for a thousand forged packets a second, and honest ones are heard again a moment later", () => {
    const { world, sealer, opener } = pair();
    const [from, one] = [sealer(), opener()];
    const sealed = from.seal(key, receiver, plain);
    const seen = Array.from({ length: 1_200 }, () => text(one.open(forged(sealed), home)));
    expect(seen.filter((why) => why === "forged").length).toBe(1_000);
    expect(seen.filter((why) => why === "busy").length).toBe(200);
    expect(text(one.open(sealed, home))).toBe("busy");
    world.now += 2;
    expect(text(one.open(sealed, home))).toBe(plain.toString());
  });

  test("is next to none for packets from where no member is, and keeps no other ones out", () => {
    const { sealer, opener } = pair();
    const [from, one] = [sealer(), opener()];
    const sealed = from.seal(key, receiver, plain);
    // A node may have several addresses.
    expect(text(one.open(from.seal(key, receiver, plain), "192.0.2.9"))).toBe(plain.toString());
    const seen = Array.from({ length: 300 }, () => text(one.open(forged(sealed), "192.0.2.9")));
    expect(seen.filter((why) => why === "forged").length).toBe(50);
    expect(text(one.open(sealed, home))).toBe(plain.toString());
  });

  test("is never counted for what was honest", () => {
    const { sealer, opener } = pair();
    const [from, one] = [sealer(), opener()];
    for (let i = 0; i < 3_000; i++) {
      expect(text(one.open(from.seal(key, receiver, plain), home))).toBe(plain.toString());
    }
  });
});

/** What an attacker makes of a packet that was recorded, or of nothing. */
function hostile(random: () => number, sealed: Buffer): Buffer {
  const below = (limit: number) => Math.floor(random() * limit);
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));
  switch (below(6)) {
    case 0:
      return noise(below(80));
    case 1:
      return Buffer.concat([sealed.subarray(0, below(sealed.length)), noise(below(4))]);
    case 2:
      return Buffer.concat([sealed, noise(1 + below(2_000))]);
    case 3: {
      // A genuine header with a session that never was.
      const copy = Buffer.from(sealed);
      noise(8).copy(copy, 9);
      return copy;
    }
    case 4: {
      const copy = Buffer.from(sealed);
      copy.writeUIntBE(below(2 ** 31), 17, 6);
      return copy;
    }
    default: {
      const copy = Buffer.from(sealed);
      for (let i = below(4); i >= 0; i--) copy[below(copy.length)] = below(256);
      return copy;
    }
  }
}

const rounds = isLong ? 1_000_000 : 30_000;
test(`${rounds.toLocaleString("en")} hostile datagrams: none is taken, throws, or is remembered`, () => {
  const random = seeded(8);
  const { world, sealer, opener } = pair();
  const [from, one] = [sealer(), opener()];
  let sealed = from.seal(key, receiver, plain);
  one.open(sealed, home);
  Bun.gc(true);
  const windows = () => heapStats().objectTypeCounts["Uint32Array"] ?? 0;
  const before = windows();
  for (let round = 0; round < rounds; round++) {
    world.now += 1;
    const bytes = hostile(random, sealed);
    const isTrue = bytes.equals(sealed);
    const opened = one.open(bytes, random() < 0.1 ? "192.0.2.9" : home);
    if (!("refused" in opened) && !isTrue)
      throw new Error(`taken in round ${round}: ${bytes.toString("hex")}`);
    if (round % 100 !== 0) continue;
    // An honest one is taken all the same.
    sealed = from.seal(key, receiver, Buffer.from(`${round}`));
    expect(text(one.open(sealed, home))).toBe(`${round}`);
  }
  Bun.gc(true);
  expect(windows() - before).toBeLessThan(20);
}, 120_000);
