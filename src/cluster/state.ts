import { createHash } from "node:crypto";
import { admissionIsGenuine, isWitness, tokenIsGenuine } from "./admission.ts";
import { readRecord, recordIsGenuine } from "./record.ts";
import {
  jsonBytes,
  type Admission,
  type ExchangeAnswer,
  type SignedRecord,
  type StateParts,
  type Summary,
  type TokenRecord,
} from "./schema.ts";
import { specIsGenuine } from "./spec-document.ts";
import type { Trust } from "./trust.ts";
import type { Member, SpecDocument } from "./types.ts";

/** Of what one message tells, in a frame of 1 MiB (channel.ts): the rest of it is who lives, and a joiner's certificates. */
const maxPartsBytes = 786_432;

/** A node's record, as it says it and as it signed it. */
export interface KnownRecord {
  member: Member;
  signed: SignedRecord;
}

/** What a merge brought. */
export interface Merged {
  changed: boolean;
  /** Whose records did. */
  records: number[];
  /** More than records changed: to be on disk before anybody relies on it. */
  durable: boolean;
  /** Somebody passes on a record of this node that is newer than its own (its state was lost): to be outdone. */
  outdone: Member | undefined;
}

/**
 * What all members share, as a join-semilattice: merging is idempotent and commutative, so members that hear the same
 * things in any order agree. Nothing in it ever goes back:
 * an admission's roles and a token's users only grow, `left` and `revoked` stay, records and the spec rise in version.
 */
export class SharedState {
  private readonly clusterId: string;
  private trust: Trust;
  private readonly admissions = new Map<number, Admission>();
  private readonly records = new Map<number, KnownRecord>();
  private readonly tokens = new Map<string, TokenRecord>();
  private document: SpecDocument | undefined;
  /** Until the next change. */
  private inShortNow: { digest: string; summary: Summary } | undefined;

  constructor(clusterId: string, trust: Trust) {
    this.clusterId = clusterId;
    this.trust = trust;
  }

  /**
   * Goes by another CA's word. What does not hold under it is gone: members that only the thief of the CA before knows,
   * tokens that pin that one. It is the one way in which something goes back, and all members go it.
   */
  anchor(trust: Trust): void {
    this.trust = trust;
    for (const [index, admission] of this.admissions) {
      if (admissionIsGenuine(trust, this.clusterId, admission)) {
        if (trust.departed.has(index)) this.admissions.set(index, { ...admission, left: true });
      } else {
        this.admissions.delete(index);
        this.records.delete(index);
      }
    }
    for (const [id, token] of this.tokens) {
      if (!tokenIsGenuine(trust, this.clusterId, token)) this.tokens.delete(id);
    }
    this.inShortNow = undefined;
  }

  /** What is not genuine is left out in silence: the rest of the message may be fine. */
  merge(parts: StateParts, self?: number): Merged {
    const merged: Merged = { changed: false, records: [], durable: false, outdone: undefined };
    const note = (changed: boolean, durable: boolean) => {
      merged.changed ||= changed;
      merged.durable ||= changed && durable;
    };
    for (const admission of parts.admissions) note(this.mergeAdmission(admission), true);
    for (const token of parts.tokens) note(this.mergeToken(token), true);
    for (const signed of parts.records) {
      const next = this.genuine(signed);
      if (!next) continue;
      if (next.member.index === self) {
        if (this.outdoes(next)) merged.outdone = next.member;
      } else if (this.mergeRecord(next)) {
        merged.records.push(next.member.index);
        note(true, next.member.left);
      }
    }
    if (parts.spec) note(this.mergeSpec(parts.spec), true);
    if (merged.changed) this.inShortNow = undefined;
    return merged;
  }

  private mergeAdmission(next: Admission): boolean {
    const known = this.admissions.get(next.index);
    if (!known || known.publicKey !== next.publicKey) {
      // One index given twice, by two members that could not see each other: the smaller key stays, on every node.
      if (known && known.publicKey < next.publicKey) return false;
      if (!admissionIsGenuine(this.trust, this.clusterId, next) || !fits(next, next.roles)) return false;
      const left = next.left || this.trust.departed.has(next.index);
      this.admissions.set(next.index, { ...next, left });
      this.records.delete(next.index);
      return true;
    }
    const roles = known.witness ? known.roles : union(known.roles, next.roles);
    const left = known.left || next.left;
    if (roles.length === known.roles.length && left === known.left) return false;
    this.admissions.set(next.index, { ...known, roles, left });
    return true;
  }

  private mergeToken(next: TokenRecord): boolean {
    const known = this.tokens.get(next.id);
    if (!known) {
      if (!tokenIsGenuine(this.trust, this.clusterId, next)) return false;
      this.tokens.set(next.id, next);
      return true;
    }
    const usedBy = union(known.usedBy, next.usedBy);
    const revoked = known.revoked || next.revoked;
    if (usedBy.length === known.usedBy.length && revoked === known.revoked) return false;
    this.tokens.set(next.id, { ...known, usedBy, revoked });
    return true;
  }

  /** Undefined: nothing new, or not by the member that it speaks of. */
  private genuine(signed: SignedRecord): KnownRecord | undefined {
    const member = readRecord(signed);
    const admission = member && this.admissions.get(member.index);
    if (!admission || admission.name !== member.name || !fits(admission, member.roles)) return undefined;
    const known = this.records.get(member.index);
    if (known && (known.signed.text === signed.text || compareRecords(member, known.member) < 0))
      return undefined;
    return recordIsGenuine(admission.publicKey, this.clusterId, signed) ? { member, signed } : undefined;
  }

  /** This node wrote it in another life, which it forgot: its state was lost, or put back. */
  private outdoes({ member, signed }: KnownRecord): boolean {
    const mine = this.records.get(member.index);
    return !mine || (signed.text !== mine.signed.text && compareRecords(member, mine.member) >= 0);
  }

  private mergeRecord(next: KnownRecord): boolean {
    const { index, left } = next.member;
    const known = this.records.get(index);
    if (known && compareRecords(next.member, known.member) <= 0) return false;
    this.records.set(index, next);
    const admission = this.admissions.get(index);
    if (admission && left && !admission.left) this.admissions.set(index, { ...admission, left: true });
    return true;
  }

  private mergeSpec(next: SpecDocument): boolean {
    const known = this.document;
    if (known && next.version < known.version) return false;
    // Two members that could not see each other published the same version: the smaller signature stays everywhere.
    if (known && next.version === known.version && next.signature >= known.signature) return false;
    const keys = [...this.admissions.values()]
      .filter((a) => a.name === next.publisher)
      .map((a) => a.publicKey);
    if (!specIsGenuine(this.clusterId, next, keys)) return false;
    this.document = next;
    return true;
  }

  /** This node's own record: only the node itself writes it. */
  setSelf(record: KnownRecord): void {
    this.records.set(record.member.index, record);
    this.inShortNow = undefined;
  }

  admission(index: number): Admission | undefined {
    return this.admissions.get(index);
  }

  allAdmissions(): Admission[] {
    return [...this.admissions.values()].sort((a, b) => a.index - b.index);
  }

  known(index: number): KnownRecord | undefined {
    return this.records.get(index);
  }

  record(index: number): Member | undefined {
    return this.records.get(index)?.member;
  }

  token(id: string): TokenRecord | undefined {
    return this.tokens.get(id);
  }

  allTokens(): TokenRecord[] {
    return [...this.tokens.values()];
  }

  spec(): SpecDocument | undefined {
    return this.document;
  }

  /**
   * One entry a name, by rising index. A name has at most one member that has not left; should two sides of a cut
   * have given it twice, the lower index keeps it.
   */
  members(): Admission[] {
    const byName = new Map<string, Admission>();
    for (const admission of this.allAdmissions()) {
      const known = byName.get(admission.name);
      if (!known || known.left) byName.set(admission.name, admission);
    }
    return [...byName.values()].sort((a, b) => a.index - b.index);
  }

  /** @param documents without them: the records alone */
  parts(documents = true): StateParts {
    const records = [...this.records.values()].map(({ signed }) => signed);
    if (!documents) return { admissions: [], records, tokens: [], spec: null };
    const admissions = this.allAdmissions();
    return { admissions, records, tokens: this.allTokens(), spec: this.document ?? null };
  }

  /** Equal on two nodes exactly when they know the same. */
  digest(): string {
    this.inShortNow ??= this.inShort();
    return this.inShortNow.digest;
  }

  summary(): Summary {
    this.inShortNow ??= this.inShort();
    return this.inShortNow.summary;
  }

  private inShort(): { digest: string; summary: Summary } {
    const documents = hash([
      this.allAdmissions().map((a) => [a.signature, [...a.roles].sort(), a.left]),
      this.allTokens()
        .map((t) => [t.id, [...t.usedBy].sort((a, b) => a - b), t.revoked])
        .sort(byFirst),
      this.document?.signature ?? "",
    ]);
    const records = [...this.records.values()]
      .map(({ member }) => [member.index, member.incarnation, member.version] satisfies Summary["records"][0])
      .sort(([a], [b]) => a - b);
    return { digest: hash([documents, records]), summary: { documents, records } };
  }

  /** For a joiner: records as far as they fit beside the rest, which it asks for once it is in. */
  forJoiner(): StateParts {
    return this.message(true, this.parts().records);
  }

  /** As many of these as one message holds, after the documents where those are to be in it. */
  private message(documents: boolean, records: readonly SignedRecord[]): StateParts {
    const head = documents ? { ...this.parts(), records: [] } : this.parts(false);
    return {
      ...head,
      records: fitting(records, documents ? maxPartsBytes - jsonBytes(head) : maxPartsBytes),
    };
  }

  /** What one who knows so much lacks, as much as one message holds, and what this node lacks of it. */
  compare(theirs: Summary): Pick<ExchangeAnswer, "parts" | "more" | "wanted"> {
    const mine = this.summary();
    const documents = theirs.documents !== mine.documents;
    const known = new Map(theirs.records.map(([index, ...rest]) => [index, rest]));
    const newer = [...this.records.values()].filter(({ member }) => {
      const [incarnation = -1, version = -1] = known.get(member.index) ?? [];
      return compareRecords(member, { incarnation, version }) > 0;
    });
    const wanted = theirs.records.filter(([index, incarnation, version]) => {
      const record = this.record(index);
      return !record || compareRecords({ incarnation, version }, record) > 0;
    });
    const parts = this.message(
      documents,
      newer.map(({ signed }) => signed),
    );
    return {
      parts,
      more: parts.records.length < newer.length,
      wanted: { records: wanted.map(([index]) => index), documents },
    };
  }

  /** What was asked for, in as many messages as it takes. */
  asked({ records, documents }: ExchangeAnswer["wanted"]): StateParts[] {
    let left = records.flatMap((index) => this.records.get(index)?.signed ?? []);
    const messages: StateParts[] = [];
    for (let head = documents; head || left.length > 0; head = false) {
      const message = this.message(head, left);
      messages.push(message);
      left = left.slice(message.records.length);
    }
    return messages;
  }
}

/** The first of them that fit. */
function fitting(records: readonly SignedRecord[], bytes: number): SignedRecord[] {
  const fit: SignedRecord[] = [];
  let left = bytes;
  for (const record of records) {
    left -= jsonBytes(record) + 1;
    if (left < 0) break;
    fit.push(record);
  }
  return fit;
}

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, 16);
}

/** What a witness is, the CA signed; it cannot give itself another role (and with it a say in that role's guards). */
function fits({ witness }: Admission, roles: readonly string[]): boolean {
  return !witness || roles.every((role) => isWitness([role]));
}

type RecordVersion = Pick<Member, "incarnation" | "version">;

/** Below zero: `a` is the older one. */
function compareRecords(a: RecordVersion, b: RecordVersion): number {
  return a.incarnation - b.incarnation || a.version - b.version;
}

function union<T>(a: readonly T[], b: readonly T[]): T[] {
  return [...new Set([...a, ...b])];
}

function byFirst(a: readonly unknown[], b: readonly unknown[]): number {
  const [x, y] = [String(a[0]), String(b[0])];
  return x < y ? -1 : x > y ? 1 : 0;
}
