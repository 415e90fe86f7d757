import { afterAll, beforeAll } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { reportOf } from "../../src/agent/report.ts";
import {
  decide,
  possessionFields,
  protocolVersion,
  renewalFields,
  signAdmission,
  signToken,
} from "../../src/cluster/admission.ts";
import type { Coordinator } from "../../src/cluster/coordinator.ts";
import { answerStranger } from "../../src/cluster/door.ts";
import { firstRing } from "../../src/cluster/gossip/keyring.ts";
import { BytesAnswer, encodeBytes, encodeFrame, FrameError, FrameReader } from "../../src/cluster/frame.ts";
import { splitAddress } from "../../src/cluster/join.ts";
import {
  certifyNode,
  createAuthority,
  generateKey,
  isUsableKey,
  readNodeCertificate,
  signFields,
  verifyFields,
} from "../../src/cluster/pki.ts";
import { strangerFrameBytes } from "../../src/cluster/channel.ts";
import { signRecord } from "../../src/cluster/record.ts";
import { beginRollover, mayFollow, rollover } from "../../src/cluster/rollover.ts";
import {
  exchangeAnswer,
  exchangeRequest,
  joinAnswer,
  stateParts,
  type StateParts,
} from "../../src/cluster/schema.ts";
import { signSpec } from "../../src/cluster/spec-document.ts";
import { trustIn } from "../../src/cluster/trust.ts";
import { SharedState } from "../../src/cluster/state.ts";
import { formatToken, hashSecret, parseToken } from "../../src/cluster/token.ts";
import type { Member } from "../../src/cluster/types.ts";
import { MemoryFile } from "../../src/cluster/vote/memory.ts";
import { Voter } from "../../src/cluster/vote/voter.ts";
import { wire as votes } from "../../src/cluster/vote/wire.ts";
import { systemClock } from "../../src/core/clock.ts";
import { failed } from "../../src/core/errors.ts";
import { publishedBy as influxdbSays } from "../../src/roles/influxdb/published.ts";
import { answer as answerGuard } from "../../src/roles/mysql/guard/answers.ts";
import type { MysqlGuard } from "../../src/roles/mysql/guard/guard.ts";
import { wire as guards } from "../../src/roles/mysql/guard/wire.ts";
import { publishedBy as minioSays } from "../../src/roles/minio/published.ts";
import { publishedBy as mysqlSays } from "../../src/roles/mysql/published.ts";
import { roleLimit } from "../cluster/support.ts";
import { sampleMember } from "../samples.ts";
import { onslaught } from "./onslaught.ts";

/** What agents hear from each other, and from strangers. */
const cluster = { name: "chime", id: "0123456789abcdef" };
const now = Date.UTC(2026, 10, 22);
const authority = createAuthority(cluster, now);
const ours = generateKey();
const theirs = generateKey();
const node1 = { name: "node1", index: 1, address: "10.0.0.1", publicKey: ours.publicKey };
const directory = mkdtempSync(join(tmpdir(), "chime-hostile-"));
afterAll(() => rmSync(directory, { recursive: true }));

const admission = signAdmission(authority.key, cluster.id, {
  ...node1,
  witness: false,
  roles: ["mysql"],
  left: false,
});
const secret = "s".repeat(32);
const tokenRecord = signToken(authority.key, cluster.id, {
  id: "abcd1234",
  hash: hashSecret(secret),
  expiry: now / 1000 + 3600,
  roles: [],
  uses: 0,
  usedBy: [1],
  revoked: false,
});
const term = { term: 4, writer: "a", in_sync: ["a", "b"], voters: ["a", "b", "w"], old_voters: [] };
const record = sampleMember({
  name: "node1",
  index: 1,
  address: "10.0.0.1",
  roles: ["mysql"],
  phase: { mysql: "ready" },
  roleState: { mysql: { term, state: "writer" } },
});
const spec = signSpec(ours.privateKey, cluster.id, { version: 2, toml: "[cluster]\n", publisher: "node1" });
const signed = signRecord(ours.privateKey, cluster.id, record);
const parts: StateParts = { admissions: [admission], records: [signed], tokens: [tokenRecord], spec };

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

onslaught("frames", {
  make(inputs) {
    const frames = Array.from({ length: inputs.below(4) }, () =>
      inputs.once(4)
        ? encodeBytes(new BytesAnswer(1, Buffer.from(inputs.text())))
        : encodeFrame({ id: 1, method: inputs.text() }),
    );
    return {
      bytes: inputs.damagedBytes(Buffer.concat([...frames, encodeFrame(inputs.json())])),
      size: 1 + inputs.below(inputs.once(2) ? 4 : 2_000),
    };
  },
  parse({ bytes, size }) {
    const reader = new FrameReader(strangerFrameBytes);
    let messages = 0;
    for (let at = 0; at < bytes.length; at += size)
      messages += reader.push(bytes.subarray(at, at + size)).length;
    return messages;
  },
  errors: [FrameError],
});

onslaught("a state that a member tells", {
  make(inputs) {
    // Signed after it was changed: by that node itself, which may say of itself what it likes, but not forge what is not its own.
    const text = inputs.once(2) ? signed.text : inputs.damagedJson(record);
    const signature = inputs.once(2)
      ? signed.signature
      : signFields(ours.privateKey, ["chime-record-1", cluster.id, text]);
    return inputs.damagedJson({ ...parts, records: [{ text, signature }] });
  },
  parse(text) {
    const parsed = v.safeParse(stateParts, json(text));
    if (!parsed.success) return undefined;
    const state = new SharedState(cluster.id, trustIn({ ca: authority.cert }));
    state.merge(parts);
    state.merge(parsed.output);
    return { state, digest: state.digest(), told: parsed.output };
  },
  holds(output) {
    if (!output) return;
    const { state, told } = output;
    // Nothing of it was signed but what was there: no other member, key or token, and nothing goes back.
    const [only, ...others] = state.allAdmissions();
    if (others.length > 0 || only?.publicKey !== ours.publicKey) throw new Error("it made a member");
    if (!only.roles.includes("mysql")) throw new Error("it took a role away");
    if (state.allTokens().length !== 1) throw new Error("it made a token");
    if (state.spec()?.signature !== spec.signature) throw new Error("it made a spec");
    const mine = state.record(1);
    if (mine !== undefined && mine.version < record.version) throw new Error("a record went back");
    if (!v.is(stateParts, state.parts())) throw new Error("others could not read it any more");
    const again = new SharedState(cluster.id, trustIn({ ca: authority.cert }));
    again.merge(parts);
    again.merge(told);
    again.merge(told);
    if (again.digest() !== output.digest) throw new Error("telling it twice makes a difference");
  },
  fewer: 2,
});

onslaught("what two members compare", {
  make(inputs) {
    const summary = { documents: "x".repeat(16), records: [[1, 1, 1]] };
    const wanted = { records: [1], documents: true };
    return inputs.damagedJson({ admission, summary, parts, wanted });
  },
  parse(text) {
    const asked = v.safeParse(exchangeRequest, json(text));
    const answered = v.safeParse(exchangeAnswer, json(text));
    const state = new SharedState(cluster.id, trustIn({ ca: authority.cert }));
    state.merge(parts);
    return [
      asked.success ? state.compare(asked.output.summary) : undefined,
      answered.success ? state.asked(answered.output.wanted) : undefined,
    ];
  },
  holds([compared, told]) {
    if (compared && !v.is(exchangeAnswer, compared)) throw new Error("the asker could not read the answer");
    if (told && !v.is(stateParts, told)) throw new Error("others could not read what is pushed");
  },
  fewer: 2,
});

onslaught("a join as the CA hears it", {
  make(inputs) {
    const { token, ...rest } = unsignedRequest;
    const asked = { ...rest, token: { ...token, secret: inputs.once(2) ? secret : "x".repeat(32) } };
    // Signed after it was changed, too: an attacker signs what it likes.
    const changed = json(inputs.damagedJson(asked));
    return inputs.once(2) ? changed : { ...asked, possession: signatureOf(asked), ...(changed as object) };
  },
  async parse(params) {
    let admitted = 0;
    const coordinator: Pick<Coordinator, "admit"> = {
      admit(request) {
        const context = { cluster, admissions: [admission], tokens: [tokenRecord], now, binaryVersion: "1" };
        decide(request, { ...context, roleLimit });
        admitted = request.name === "node2" && request.token.secret === secret ? 1 : 2;
        return Promise.resolve({ index: 2, certificate: "" });
      },
    };
    await answerStranger("join", params, doorTo(coordinator));
    return admitted;
  },
  codes: [
    "join.bad_request",
    "join.version_incompatible",
    "join.unknown_role",
    "join.role_unconfigured",
    "join.role_full",
    "join.clock_skew",
    "join.name_taken",
    "join.address_taken",
    "token.unknown",
    "role.witness",
  ],
  holds(admitted) {
    if (admitted !== 1) throw new Error("it let somebody in who has not signed that");
  },
  fewer: 2,
});

const unsignedRequest = {
  token: { id: "abcd1234", secret },
  name: "node2",
  address: "10.0.0.2",
  roles: ["mysql"],
  publicKey: theirs.publicKey,
  wall: now,
  protocol: protocolVersion,
  binaryVersion: "0.1.0",
};

function signatureOf(request: typeof unsignedRequest): string {
  return signFields(theirs.privateKey, possessionFields(request));
}

function doorTo(coordinator: Pick<Coordinator, "admit">): Parameters<typeof answerStranger>[2] {
  const state = new SharedState(cluster.id, trustIn({ ca: authority.cert }));
  state.merge(parts);
  return {
    credentials: () => ({
      identity: { cluster, self: node1 },
      ca: authority.cert,
      caKey: authority.key,
      certificate: "",
      key: ours,
      keyRing: firstRing(Buffer.alloc(32).toString("base64")),
    }),
    secrets: () => ({}),
    state,
    coordinator: coordinator as Coordinator,
    binaryVersion: "0.1.0",
    clock: { ...systemClock, wall: () => now },
    refused: () => undefined,
  };
}

onslaught("what a stranger may ask", {
  make(inputs) {
    const wall = inputs.once(2) ? now : inputs.number();
    const possession = signFields(ours.privateKey, renewalFields(cluster.id, inputs.once(2) ? 1 : 2, wall));
    return {
      method: inputs.pick(["renew", "renew", "renew", "join", "push", inputs.text(), inputs.key()]),
      params: json(inputs.damagedJson({ index: 1, wall, possession })),
    };
  },
  async parse({ method, params }) {
    return answerStranger(method, params, doorTo({ admit: () => Promise.reject(failed("join.test", "")) }));
  },
  codes: ["join.bad_request", "join.version_incompatible", "renew.bad_request", "join.clock_skew"],
  holds(answer, { params }) {
    const { index, wall } = params as { index: number; wall: number };
    if (!("certificate" in answer) || index !== 1 || Math.abs(wall - now) > 60_000)
      throw new Error("it renewed");
  },
  fewer: 4,
});

onslaught("an answer to a join", {
  make: (inputs) =>
    inputs.damagedJson({
      cluster,
      index: 2,
      certificate: authority.cert,
      ca: authority.cert,
      gossipKey: "a".repeat(44),
      caKey: authority.key,
      secrets: { mysql: { replication: secret } },
      state: parts,
    }),
  parse: (text) => v.safeParse(joinAnswer, json(text)),
  holds(parsed) {
    if (!parsed.success) return;
    const { output } = parsed;
    if (!Bun.deepEquals(v.parse(joinAnswer, structuredClone(output)), output)) throw new Error("read twice");
    for (const role of Object.keys(output.secrets ?? {})) {
      if (role === "__proto__") throw new Error("a role that every object has");
    }
  },
});

const token = formatToken({
  cluster: cluster.id,
  addresses: ["10.0.0.1", "10.0.0.2:9000"],
  ca: "a".repeat(43),
  id: "abcd1234",
  secret,
  expiry: now,
  roles: ["mysql"],
  uses: 0,
});

onslaught("tokens", {
  make(inputs) {
    if (inputs.once(2)) return inputs.damagedText(token);
    const content: unknown = JSON.parse(Buffer.from(token.slice(7), "base64url").toString());
    return `chime1.${Buffer.from(inputs.damagedJson(content)).toString("base64url")}`;
  },
  parse: parseToken,
  codes: ["token.malformed"],
  holds(read) {
    if (formatToken(parseToken(formatToken(read))) !== formatToken(read)) throw new Error("no round trip");
    for (const address of read.addresses) splitAddress(address);
  },
});

const certificate = new X509Certificate(certifyNode(authority, cluster, node1, now)).raw;
const ca = new X509Certificate(authority.cert);

onslaught("certificates that are shown", {
  make: (inputs) => inputs.damagedBytes(certificate),
  parse: (bytes) => readNodeCertificate(new X509Certificate(bytes), [ca], now),
  // OpenSSL's own words for what it cannot decode.
  errors: [Error],
  holds(read, bytes) {
    const isWhole = bytes.subarray(0, certificate.length).equals(certificate);
    if (read && !isWhole) throw new Error("a changed certificate is taken");
  },
});

const comes = createAuthority(cluster, now);
const begun = beginRollover(
  cluster.id,
  { before: authority.key, after: comes.key },
  { round: 1, before: authority.cert, after: comes.cert, members: [[1, "A".repeat(43), false]] },
);

onslaught("rotations of the CA", {
  make: (inputs) => inputs.damagedJson(begun),
  parse: (text) => v.safeParse(rollover, json(text)),
  holds(parsed) {
    if (!parsed.success) return;
    const { output: read } = parsed;
    const isWhole = Bun.deepEquals(read, begun);
    if (mayFollow(cluster.id, { own: undefined, ca: authority.cert }, read) !== isWhole)
      throw new Error("a changed rotation is taken");
    if (mayFollow(cluster.id, { own: begun, ca: authority.cert }, read))
      throw new Error("it goes on by itself");
  },
});

onslaught("keys and signatures", {
  make(inputs) {
    const key = inputs.damagedBytes(Buffer.from(ours.publicKey, "base64")).toString("base64");
    return { key, signature: inputs.damagedText(spec.signature) };
  },
  parse: ({ key, signature }) => [isUsableKey(key), verifyFields(key, ["x"], signature)],
  holds([usable, verified], { key }) {
    if (usable && Buffer.from(key, "base64").length !== 91) throw new Error("another form of key is taken");
    if (verified) throw new Error("a signature of something else is taken");
  },
});

let voter: Voter;
beforeAll(() => {
  const membership = {
    self: { name: "b" } as Member,
    call: () => Promise.reject(failed("peer.timeout", "silence")),
    isWitness: () => false,
    sign: () => "",
    isSignedBy: () => false,
  };
  const held = { ...term, tie: "replica" as const };
  voter = new Voter("mysql", membership, new MemoryFile(directory), { term: held, proven: null });
});

const asked = {
  term: { term, nonce: "0".repeat(32), from: ["a", "w"] },
  position: "1-1-1",
  id: "x",
  offset: 0,
};

onslaught("what a voter is asked", {
  make: (inputs) => ({
    method: inputs.once(4) ? inputs.key() : inputs.pick(Object.keys(votes)),
    params: json(inputs.damagedJson({ term, nonce: "0".repeat(32), from: ["a"] })),
  }),
  parse: ({ method, params }) => voter.handle(method, params, "a"),
  codes: ["vote.bad_question", "peer.timeout"],
  holds() {
    const held = voter.memory.term;
    if (held === null || held.term < term.term) throw new Error("the voter's term went back");
    if (!(held.term + 1 > held.term)) throw new Error("no term can follow");
  },
});

onslaught("what a guard of MySQL is asked", {
  make: (inputs) => ({
    method: inputs.once(4) ? inputs.key() : inputs.pick(Object.keys(guards)),
    params: json(inputs.damagedJson({ ...asked, term, contents: "1-1-1,1-2-3" })),
  }),
  // A stranger to the role, whose question is read all the same.
  parse({ method, params }) {
    const guard = { view: undefined, deps: { membership: { members: () => [] } } } as unknown as MysqlGuard;
    return answerGuard(guard, method, params, "x");
  },
  codes: ["guard.bad_question"],
});

onslaught("what members say of themselves", {
  make: (inputs) =>
    inputs.damagedJson({
      mysql: {
        term,
        state: "writer",
        follows: "b",
        life: "x",
        able: true,
        semi_sync: true,
        protected: true,
        lag: 1,
        detail: null,
      },
      minio: {
        slot: 1,
        state: "serving",
        writable: true,
        seen: {
          nodes: [{ slot: 1, drives: { total: 3, online: 3, healing: 0 } }],
          capacity: { total: 1, free: 1 },
        },
        attached: true,
        owes: false,
        healed: null,
        binary: null,
        detail: null,
      },
      influxdb: {
        state: "serving",
        joined: true,
        gap: { since: "2026-11-22T00:00:00Z", away: 1, done: 0.5, trouble: null, busy: true },
        binary: null,
        detail: null,
      },
      agent: {
        vips: { mysql: { state: "MASTER", holds: true, peers: ["10.0.0.2"] } },
        problems: [{ code: "a.b", severity: "error", node: "n", message: "m", remedy: "r" }],
        events: [
          {
            at: "2026-11-22T00:00:00Z",
            node: "n",
            role: null,
            kind: "drill",
            message: "m",
            seconds: 1,
            steps: [{ do: "x", ms: 1 }],
          },
        ],
        maintenance: null,
        secrets: { "minio.root": { current: "0", next: "1.abcdefgh", used: "0" } },
      },
    }),
  parse(text) {
    const given = json(text);
    const roleState = (typeof given === "object" && given !== null ? given : {}) as Member["roleState"];
    return [mysqlSays, minioSays, influxdbSays, reportOf].map((read) => read({ roleState }));
  },
  holds([, , , report]) {
    if (report === null) throw new Error("a member without a report");
  },
});
