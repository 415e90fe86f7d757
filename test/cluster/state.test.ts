import { beforeAll, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { signAdmission, signToken } from "../../src/cluster/admission.ts";
import { createAuthority, generateKey, signFields } from "../../src/cluster/pki.ts";
import { signRecord } from "../../src/cluster/record.ts";
import {
  exchangeAnswer,
  stateParts,
  type Admission,
  type SignedRecord,
  type StateParts,
  type TokenRecord,
} from "../../src/cluster/schema.ts";
import { signSpec } from "../../src/cluster/spec-document.ts";
import { trustIn } from "../../src/cluster/trust.ts";
import { SharedState, type KnownRecord } from "../../src/cluster/state.ts";
import { hashSecret } from "../../src/cluster/token.ts";
import type { Member } from "../../src/cluster/types.ts";
import { seeded } from "./support.ts";
import { sampleMember } from "../samples.ts";

const cluster = { name: "chime", id: "0123456789abcdef" };
const authority = createAuthority(cluster, Date.now());
const foreign = createAuthority(cluster, Date.now());
const keys = Array.from({ length: 6 }, generateKey);
const empty: StateParts = { admissions: [], records: [], tokens: [], spec: null };

function admission(index: number, change: Partial<Admission> = {}, ca = authority): Admission {
  return signAdmission(ca.key, cluster.id, {
    index,
    name: `n${index}`,
    address: `10.0.0.${index}`,
    publicKey: (keys[index] ?? keys[0])?.publicKey ?? "",
    witness: false,
    roles: [],
    left: false,
    ...change,
  });
}

/** @param signer whose key signs it: its own by default */
function known(index: number, change: Partial<Member> = {}, signer = index): KnownRecord {
  const member = sampleMember({ name: `n${index}`, index, address: `10.0.0.${index}`, ...change });
  return { member, signed: signRecord(keys[signer]?.privateKey ?? "", cluster.id, member) };
}

function record(...args: Parameters<typeof known>): SignedRecord {
  return known(...args).signed;
}

function token(change: Partial<TokenRecord> = {}, ca = authority): TokenRecord {
  const fields = {
    id: "abcd1234",
    hash: hashSecret("s"),
    expiry: 1,
    roles: [],
    uses: 0,
    usedBy: [],
    revoked: false,
  };
  return signToken(ca.key, cluster.id, { ...fields, ...change });
}

function spec(version: number, publisher: number, toml = `# ${version}`) {
  return signSpec(keys[publisher]?.privateKey ?? "", cluster.id, {
    version,
    toml,
    publisher: `n${publisher}`,
  });
}

function state(...parts: Partial<StateParts>[]): SharedState {
  const fresh = new SharedState(cluster.id, trustIn({ ca: authority.cert }));
  for (const part of parts) fresh.merge({ ...empty, ...part });
  return fresh;
}

let first: Admission;
let second: Admission;
beforeAll(() => {
  first = admission(1);
  second = admission(2);
});

describe("shared state takes only what is genuine", () => {
  test("admissions and tokens that this CA did not sign, or that were changed after it did", () => {
    const forged = state({
      admissions: [admission(3, {}, foreign), { ...second, name: "other" }, { ...second, witness: true }],
      tokens: [token({}, foreign), { ...token(), expiry: 99 }, { ...token(), roles: ["mysql"] }],
    });
    expect(forged.parts()).toEqual(empty);
  });

  test("a spec that its publisher did not sign", () => {
    const ours = state({ admissions: [first, second] });
    for (const bad of [
      { ...spec(2, 1), toml: "# other" },
      { ...spec(2, 1), version: 3 },
      { ...spec(2, 1), publisher: "n2" },
      spec(2, 3),
    ]) {
      expect(ours.merge({ ...empty, spec: bad }).changed).toBe(false);
    }
    expect(ours.merge({ ...empty, spec: spec(2, 1) }).changed).toBe(true);
  });

  test("records of nobody, or under another's index", () => {
    const ours = state({ admissions: [first] });
    ours.merge({ ...empty, records: [record(2), record(1, { name: "n2" })] });
    expect(ours.parts().records).toEqual([]);
  });

  test("records that their node did not sign, or that were changed after it did", () => {
    const ours = state({ admissions: [first, second] });
    const { text, signature } = record(1);
    const later = { text: text.replace('"version":1', '"version":2'), signature };
    ours.merge({ ...empty, records: [record(1, {}, 2), later, { text, signature: record(2).signature }] });
    expect(ours.parts().records).toEqual([]);
    expect(ours.merge({ ...empty, records: [{ text, signature }] }).changed).toBe(true);
  });

  test("a record with fields of a newer version is passed on as it was signed", () => {
    const { member } = known(1);
    const newer = { ...member, more: { a: 1 } };
    const signed = signRecord(keys[1]?.privateKey ?? "", cluster.id, newer);
    const ours = state({ admissions: [first], records: [signed] });
    expect(ours.record(1)).toEqual(member);
    expect(ours.parts().records).toEqual([signed]);
  });

  test("records that cannot be read, whoever signed them", () => {
    const deep = `${"[".repeat(5_000)}1${"]".repeat(5_000)}`;
    for (const change of [
      '"name":"-bad-"',
      '"address":"10.0.0.256"',
      '"index":0',
      `"version":${2 ** 53}`,
      '"phase":{"mysql":"flying"}',
      `"roles":${deep}`,
    ]) {
      const text = JSON.stringify(known(1).member).replace(/\}$/, `,${change}}`);
      const signature = signFields(keys[1]?.privateKey ?? "", ["chime-record-1", cluster.id, text]);
      const ours = state({ admissions: [first], records: [{ text, signature }] });
      expect(ours.parts().records).toEqual([]);
    }
  });
});

describe("shared state never goes back", () => {
  test("records by incarnation, then version", () => {
    const ours = state({ admissions: [first], records: [record(1, { incarnation: 2, version: 5 })] });
    for (const [incarnation, version, taken] of [
      [1, 9, false],
      [2, 5, false],
      [2, 4, false],
      [2, 6, true],
      [3, 1, true],
    ] as const) {
      expect(ours.merge({ ...empty, records: [record(1, { incarnation, version })] }).changed).toBe(taken);
    }
  });

  test("left, revoked, granted roles and uses stay", () => {
    const ours = state(
      { admissions: [first], tokens: [token()] },
      { admissions: [{ ...first, left: true, roles: ["mysql"] }] },
      { tokens: [{ ...token(), usedBy: [2], revoked: true }] },
      { admissions: [first], tokens: [{ ...token(), usedBy: [3] }] },
    );
    expect(ours.admission(1)).toMatchObject({ left: true, roles: ["mysql"] });
    expect(ours.token("abcd1234")).toMatchObject({ revoked: true, usedBy: [2, 3] });
  });

  test("the node's own record is never taken from others, but a newer one is reported", () => {
    const ours = state({ admissions: [first] });
    ours.setSelf(known(1, { incarnation: 3 }));
    const outdone = (next: KnownRecord) => {
      const merged = ours.merge({ ...empty, records: [next.signed] }, 1);
      expect(merged.changed).toBe(false);
      return merged.outdone;
    };
    expect(outdone(known(1, { incarnation: 2 }))).toBeUndefined();
    expect(outdone(known(1, { incarnation: 3 }))).toBeUndefined();
    const newer = known(1, { incarnation: 4 });
    expect(outdone(newer)).toEqual(newer.member);
    // Of the same version, and not the same: written before its state was lost.
    const other = known(1, { incarnation: 3, roles: ["mysql"] });
    expect(outdone(other)).toEqual(other.member);
    expect(outdone(known(1, { incarnation: 4 }, 2))).toBeUndefined();
    expect(ours.record(1)?.incarnation).toBe(3);
  });
});

test("what cannot be read as state is refused, however it is built", () => {
  const good = record(1);
  const bad: unknown[] = [
    { records: [{ ...good, text: "x".repeat(20_000) }] },
    { records: [{ ...good, signature: "not base64" }] },
    { admissions: [{ ...first, roles: Array(17).fill("mysql") }] },
    { tokens: [{ ...token(), hash: "x" }] },
    { spec: { ...spec(1, 1), toml: "x".repeat(140_000) } },
    { records: {} },
    null,
    "records",
  ];
  for (const parts of bad) expect(v.safeParse(stateParts, parts).success).toBe(false);
  expect(v.safeParse(stateParts, { records: [good], admissions: [first], more: 1 }).success).toBe(true);
});

test("a name belongs to one member: who left gives it free, and of two the lower index has it", () => {
  const again = admission(3, { name: "n1" });
  expect(state({ admissions: [first, again] }).members()).toEqual([first]);
  const left = { ...first, left: true };
  expect(state({ admissions: [left, again] }).members()).toEqual([again]);
  expect(state({ admissions: [left] }).members()).toEqual([left]);
});

describe("two that compare what they know", () => {
  /** Both know the same afterwards; returns what crossed. */
  function compare(one: SharedState, other: SharedState) {
    const answer = v.parse(exchangeAnswer, other.compare(one.summary()));
    one.merge(answer.parts);
    const [pushed = empty, ...others] = one.asked(answer.wanted);
    expect(others).toEqual([]);
    other.merge(pushed);
    expect(one.digest()).toBe(other.digest());
    return { told: answer.parts, pushed };
  }

  test("who knows the same sends nothing", () => {
    const both = { admissions: [first, second], records: [record(1), record(2)], tokens: [token()] };
    expect(compare(state(both), state(both))).toEqual({ told: empty, pushed: empty });
  });

  test("records cross alone, each the way it is newer", () => {
    const members = { admissions: [first, second] };
    const one = state(members, { records: [record(1, { version: 7 }), record(2)] });
    const other = state(members, { records: [record(1), record(2, { incarnation: 2 })] });
    const { told, pushed } = compare(one, other);
    expect({ ...told, records: told.records.length }).toEqual({ ...empty, records: 1 });
    expect(pushed.records).toHaveLength(1);
    expect(pushed.admissions).toEqual([]);
    expect([other.record(1)?.version, one.record(2)?.incarnation]).toEqual([7, 2]);
  });

  test("documents that differ cross whole, both ways; records of members that one did not know, too", () => {
    const one = state({ admissions: [first, second], records: [record(2)], tokens: [token()] });
    const other = state({ admissions: [first, { ...first, roles: ["mysql"] }], spec: spec(1, 1) });
    compare(one, other);
    expect(other.record(2)?.name).toBe("n2");
    expect(one.admission(1)?.roles).toEqual(["mysql"]);
    expect(one.spec()?.version).toBe(1);
  });
});

describe("two of which one knows more than a message holds", () => {
  const count = 120;
  const filler = "x".repeat(12_000);
  let large: SharedState;
  beforeAll(() => {
    const indexes = Array.from({ length: count }, (_, i) => i + 1);
    large = state({
      admissions: indexes.map((index) => admission(index, { publicKey: keys[0]?.publicKey ?? "" })),
      records: indexes.map((index) => record(index, { roleState: { mysql: filler } }, 0)),
    });
  });
  const fits = (message: unknown) => JSON.stringify(message).length < 800_000;

  test("it is told in some answers, each of which is asked for", () => {
    const one = state();
    let answers = 0;
    for (let more = true; more; answers++) {
      const answer = v.parse(exchangeAnswer, large.compare(one.summary()));
      expect(fits(answer)).toBe(true);
      expect(one.merge(answer.parts).changed).toBe(true);
      more = answer.more;
    }
    expect(answers).toBe(2);
    expect(one.digest()).toBe(large.digest());
  });

  test("it tells in some messages, which bring the members first", () => {
    const other = state();
    const { wanted } = other.compare(large.summary());
    const messages = large.asked(wanted);
    expect(messages.map(({ admissions }) => admissions.length)).toEqual([count, 0]);
    for (const message of messages) {
      expect(fits(message)).toBe(true);
      other.merge(v.parse(stateParts, message));
    }
    expect(other.digest()).toBe(large.digest());
  });

  test("a joiner gets all members, and records of some", () => {
    const { admissions, records } = large.forJoiner();
    expect(fits({ admissions, records })).toBe(true);
    expect(admissions).toHaveLength(count);
    expect(records.length).toBeGreaterThan(count / 3);
  });
});

test("any order, any repetition: the same state and the same digest (200 shuffles)", () => {
  const rival = admission(3, { name: "rival", publicKey: (keys[5] as { publicKey: string }).publicKey });
  const pieces: Partial<StateParts>[] = [
    { admissions: [first] },
    { admissions: [second] },
    { admissions: [{ ...second, roles: ["mysql"] }] },
    { admissions: [admission(3)] },
    { admissions: [rival] },
    { admissions: [admission(4), { ...first, roles: ["server"] }] },
    { tokens: [token()] },
    { tokens: [{ ...token(), usedBy: [2] }] },
    { tokens: [{ ...token(), usedBy: [3], revoked: true }] },
    { spec: spec(1, 1) },
    { spec: spec(2, 2, "# a") },
    { spec: spec(2, 1, "# b") },
  ];
  // What depends on an admission is told again once all of them are there, as the next exchange does.
  const records: Partial<StateParts> = {
    records: [record(1), record(1, { version: 3 }), record(2, { left: true }), record(3)],
  };
  const random = seeded(5);
  const digests = new Set<string>();
  for (let round = 0; round < 200; round++) {
    const shuffled = [...pieces, records]
      .flatMap((piece) => (random() < 0.3 ? [piece, piece] : [piece]))
      .map((piece) => ({ piece, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ piece }) => piece);
    digests.add(state(...shuffled, ...pieces, records).digest());
  }
  expect(digests.size).toBe(1);
});
