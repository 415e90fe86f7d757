import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import * as v from "valibot";
import {
  firstRing,
  idOfKey,
  isGenuine,
  keyRing,
  keysOf,
  nextRing,
  outdoes,
  signRing,
  stageOf,
  stateOf,
  type KeyRing,
} from "../../../src/cluster/gossip/keyring.ts";
import { generateKey } from "../../../src/cluster/pki.ts";

const key = () => randomBytes(32).toString("base64");
const [old, fresh] = [key(), key()];
const ca = generateKey();
const cluster = "0123456789abcdef";
const sign = (ring: Omit<KeyRing, "signature">) => signRing(ca.privateKey, cluster, ring);
/** The ring of each stage of a rotation, in order. */
function rotation(): KeyRing[] {
  const rings = [firstRing(old)];
  let next = nextRing(firstRing(old), fresh);
  while (next) {
    rings.push(sign(next));
    next = nextRing(rings.at(-1) as KeyRing, undefined);
  }
  return rings;
}

const idOfRing = (ring: KeyRing) => stateOf(ring).id;

describe("a key ring", () => {
  test("is rotated by stages: a key is there before it seals, and the old one as long as it may have sealed", () => {
    const seen = rotation().map((ring) => ({
      version: ring.version,
      stage: stageOf(ring),
      opens: keysOf(ring).map(({ id }) => id),
      seals: ring.primary,
    }));
    const [o, f] = [idOfKey(old), idOfKey(fresh)];
    expect(seen).toEqual([
      { version: 0, stage: "settled", opens: [o], seals: o },
      { version: 1, stage: "adding", opens: [o, f], seals: o },
      { version: 2, stage: "switching", opens: [o, f], seals: f },
      { version: 3, stage: "settled", opens: [f], seals: f },
    ]);
  });

  test("says by its id what it holds, and nothing of the keys", () => {
    expect(idOfKey(old)).toMatch(/^[0-9a-f]{8}$/);
    expect(Buffer.from(old, "base64").toString("hex")).not.toContain(idOfKey(old));
    const [, adding] = rotation() as [KeyRing, KeyRing];
    // Signatures are random.
    expect(idOfRing(sign(adding))).toBe(idOfRing(adding));
    expect(new Set(rotation().map(idOfRing)).size).toBe(4);
    expect(idOfRing({ ...adding, keys: [old, key()] })).not.toBe(idOfRing(adding));
  });

  test("is the cluster's by the CA's signature over all of it alone", () => {
    const ring = rotation()[1] as KeyRing;
    expect(isGenuine(ca.publicKey, cluster, ring)).toBe(true);
    expect(isGenuine(generateKey().publicKey, cluster, ring)).toBe(false);
    expect(isGenuine(ca.publicKey, "fedcba9876543210", ring)).toBe(false);
    for (const change of [
      { version: 2 },
      { keys: [old, key()] },
      { keys: [fresh, old] },
      { primary: idOfKey(fresh) },
      { signature: null },
    ]) {
      expect([change, isGenuine(ca.publicKey, cluster, { ...ring, ...change })]).toEqual([change, false]);
    }
    expect(isGenuine(ca.publicKey, cluster, { ...sign({ ...ring, version: 0 }) })).toBe(false);
  });

  test("of a later version outdoes, and of two of the same version it is the same one everywhere", () => {
    const at = (version: number, id: string) => ({ version, id });
    expect(outdoes(at(2, "a"), at(1, "b"))).toBe(true);
    expect(outdoes(at(1, "b"), at(2, "a"))).toBe(false);
    expect([outdoes(at(1, "b"), at(1, "a")), outdoes(at(1, "a"), at(1, "b"))]).toEqual([true, false]);
    expect(outdoes(at(1, "a"), at(1, "a"))).toBe(false);
  });

  const ring = rotation()[1] as KeyRing;
  const wrong: [string, unknown][] = [
    ["no key", { ...ring, keys: [] }],
    ["too many keys", { ...ring, keys: [...Array.from({ length: 4 }, key), old] }],
    ["a key that is too short", { ...ring, keys: [old, randomBytes(31).toString("base64")] }],
    ["a key in other words", { ...ring, keys: [old, `${fresh.slice(0, 42)}!=`] }],
    ["the same key twice", { ...ring, keys: [old, old] }],
    ["a primary that it has not", { ...ring, primary: idOfKey(key()) }],
    ["a negative version", { ...ring, version: -1 }],
    ["no signature field", { ...ring, signature: undefined }],
  ];
  test.each(wrong)("is not read with %s", (_, value) => {
    expect(v.safeParse(keyRing, ring).success).toBe(true);
    expect(v.safeParse(keyRing, value).success).toBe(false);
  });
});
