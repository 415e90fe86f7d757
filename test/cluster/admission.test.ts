import { describe, expect, test } from "bun:test";
import {
  checkVersion,
  decide,
  nextIndex,
  possessionFields,
  protocolVersion,
  type AdmissionContext,
} from "../../src/cluster/admission.ts";
import { generateKey, signFields } from "../../src/cluster/pki.ts";
import type { Admission, JoinRequest, TokenRecord } from "../../src/cluster/schema.ts";
import { hashSecret } from "../../src/cluster/token.ts";
import type { ChimeError } from "../../src/core/errors.ts";
import { roleLimit } from "./support.ts";

const now = 1_790_000_000_000;
const key = generateKey();

const token: TokenRecord = {
  id: "abcd1234",
  hash: hashSecret("right"),
  expiry: now / 1000 + 60,
  roles: [],
  uses: 0,
  signature: "",
  usedBy: [],
  revoked: false,
};

const member: Admission = {
  index: 1,
  name: "node1",
  address: "10.0.0.1",
  publicKey: generateKey().publicKey,
  witness: false,
  signature: "",
  roles: ["mysql"],
  left: false,
};

function request(change: Partial<Omit<JoinRequest, "possession">> = {}): JoinRequest {
  const unsigned = {
    token: { id: token.id, secret: "right" },
    name: "node2",
    address: "10.0.0.2",
    roles: ["mysql"],
    publicKey: key.publicKey,
    wall: now,
    protocol: protocolVersion,
    binaryVersion: "0.1.0",
    ...change,
  };
  return { ...unsigned, possession: signFields(key.privateKey, possessionFields(unsigned)) };
}

function context(change: Partial<AdmissionContext> = {}): AdmissionContext {
  return {
    cluster: { name: "chime", id: "0123456789abcdef" },
    admissions: [member],
    tokens: [token],
    now,
    binaryVersion: "0.1.0",
    roleLimit,
    ...change,
  };
}

function outcome(asked: JoinRequest, given: AdmissionContext): string {
  try {
    return decide(asked, given).kind;
  } catch (error) {
    return (error as ChimeError).code;
  }
}

const self: Admission = { ...member, index: 2, name: "node2", address: "10.0.0.2", publicKey: key.publicKey };
const full = { admissions: [member, { ...member, index: 3, name: "node3", address: "10.0.0.3" }] };

describe("decide", () => {
  test.each([
    ["all is well", request(), context(), "new"],
    ["unknown token", request({ token: { id: "zzzzzzzz", secret: "right" } }), context(), "token.unknown"],
    ["wrong secret", request({ token: { id: token.id, secret: "wrong" } }), context(), "token.unknown"],
    ["revoked", request(), context({ tokens: [{ ...token, revoked: true }] }), "token.revoked"],
    ["expired this second", request(), context({ now: token.expiry * 1000 }), "token.expired"],
    ["one use, used", request(), context({ tokens: [{ ...token, uses: 1, usedBy: [1] }] }), "token.used_up"],
    ["two uses, one used", request(), context({ tokens: [{ ...token, uses: 2, usedBy: [1] }] }), "new"],
    [
      "role not in token",
      request(),
      context({ tokens: [{ ...token, roles: ["server"] }] }),
      "token.role_not_allowed",
    ],
    ["unknown role", request({ roles: ["nginx"] }), context(), "join.unknown_role"],
    ["60 s ahead", request({ wall: now + 60_000 }), context(), "new"],
    ["61 s ahead", request({ wall: now + 61_000 }), context(), "join.clock_skew"],
    ["61 s behind", request({ wall: now - 61_000 }), context(), "join.clock_skew"],
    ["name taken", request({ name: "node1" }), context(), "join.name_taken"],
    ["address taken", request({ address: "10.0.0.1" }), context(), "join.address_taken"],
    [
      "name of one that left",
      request({ name: "node1" }),
      context({ admissions: [{ ...member, left: true }] }),
      "new",
    ],
    ["third of a pair", request(), context(full), "join.role_full"],
    ["a disk too few", request({ roles: ["store"], disks: 2 }), context(), "disk.count"],
    ["no disk", request({ roles: ["store", "server"], disks: 0 }), context(), "disk.count"],
    ["a disk too many", request({ roles: ["store"], disks: 4 }), context(), "disk.count"],
    ["a disk for a role that takes none", request({ disks: 1 }), context(), "disk.count"],
    ["as many disks as it takes", request({ roles: ["store", "server"], disks: 3 }), context(), "new"],
    ["disks of before, or an older version", request({ roles: ["store"] }), context(), "new"],
    [
      "a disk too few, asked before",
      request({ roles: ["store"], disks: 2 }),
      context({ admissions: [member, { ...self, roles: ["store"] }] }),
      "disk.count",
    ],
    ["witness beside a pair", request({ roles: ["witness"] }), context(full), "new"],
    ["witness and something else", request({ roles: ["mysql", "witness"] }), context(), "role.witness"],
    ["pair, one left", request(), context({ admissions: [member, { ...member, left: true }] }), "new"],
    ["asked before", request(), context({ admissions: [member, self] }), "again"],
    [
      "asked before, token ran out since",
      request(),
      context({ admissions: [member, self], now: now + 61_000 }),
      "again",
    ],
    [
      "asked before, removed since",
      request(),
      context({ admissions: [member, { ...self, left: true }] }),
      "new",
    ],
    [
      "asked before under another name",
      request({ name: "other" }),
      context({ admissions: [member, self] }),
      "new",
    ],
    [
      "the token is revoked, expired and used up: one answer",
      request(),
      context({ tokens: [{ ...token, revoked: true, expiry: 0, uses: 1, usedBy: [1] }] }),
      "token.revoked",
    ],
  ])("%s", (_what, asked, given, expected) => {
    expect(outcome(asked, given)).toBe(expected);
  });

  test("what is signed by another key, or changed after signing, is refused", () => {
    const signed = request();
    for (const change of [
      { name: "node9" },
      { roles: ["server"] },
      { publicKey: generateKey().publicKey },
      { wall: 0 },
    ]) {
      expect(outcome({ ...signed, ...change }, context())).toBe("join.bad_request");
    }
  });

  test("a machine that asks under another name gives its first admission back", () => {
    const verdict = decide(request({ name: "other" }), context({ admissions: [member, self] }));
    expect(verdict).toMatchObject({ kind: "new", superseded: self });
  });
});

test("every refusal says what to do next", () => {
  for (const asked of [
    request({ name: "node1" }),
    request({ address: "10.0.0.1" }),
    request({ roles: ["nginx"] }),
  ]) {
    try {
      decide(asked, context());
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ exit: 3, remedy: expect.stringMatching(/.{10}/) });
    }
  }
});

test("another protocol says which side is older", () => {
  expect(() => checkVersion({ protocol: protocolVersion, binaryVersion: "9.9.9" }, "0.1.0")).not.toThrow();
  for (const [protocol, older] of [
    [protocolVersion + 1, "the cluster has the older one"],
    [protocolVersion - 1, "this node has the older one"],
  ] as const) {
    try {
      checkVersion({ protocol, binaryVersion: "9.9.9" }, "0.1.0");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        code: "join.version_incompatible",
        remedy: expect.stringContaining(older),
      });
    }
  }
});

test("an index is never given again", () => {
  expect(nextIndex([])).toBe(1);
  expect(nextIndex([{ ...member, index: 7, left: true }])).toBe(8);
});
