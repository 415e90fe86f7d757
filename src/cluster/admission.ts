import { createHash } from "node:crypto";
import { ChimeError, refused } from "../core/errors.ts";
import { isUsableKey, signFields, verifyFields } from "./pki.ts";
import type { Admission, JoinRequest, TokenRecord } from "./schema.ts";
import { secretMatches } from "./token.ts";
import type { Trust } from "./trust.ts";

/** Agents of two protocol numbers do not talk to each other. Raised when a message changes in a way that old agents misread. */
export const protocolVersion = 1;

/** Clocks further apart than this make logs, certificates and token limits lie (domain.md: MinIO never forms at 20 min). */
const maxClockSkewMs = 60_000;

/** What the door needs to know of a role. */
export interface RoleLimit {
  max: number;
  reason: string;
  /** How many disks a node gives to it; absent: none. */
  disks?: number | undefined;
}

/** Everything that a decision depends on. */
export interface AdmissionContext {
  cluster: { name: string; id: string };
  admissions: readonly Admission[];
  tokens: readonly TokenRecord[];
  /** This member's wall clock, ms. */
  now: number;
  binaryVersion: string;
  /** Undefined: there is no such role. */
  roleLimit: (role: string) => RoleLimit | undefined;
}

export type Verdict =
  /** The same machine asks again: its answer got lost. */
  | { kind: "again"; admission: Admission }
  | { kind: "new"; token: TokenRecord; superseded: Admission | undefined };

/** What the joiner signs with the key that it wants certified. */
export function possessionFields(request: Omit<JoinRequest, "possession">): unknown[] {
  const { token, name, address, roles, publicKey, wall } = request;
  return ["chime-join-1", token.id, name, address, roles, publicKey, wall];
}

/** What a member signs with its key to get another certificate for it. */
export function renewalFields(clusterId: string, index: number, wall: number): unknown[] {
  return ["chime-renew-1", clusterId, index, wall];
}

/** @throws ChimeError `join.version_incompatible` */
export function checkVersion(theirs: { protocol: number; binaryVersion: string }, ourBinary: string): void {
  if (theirs.protocol === protocolVersion) return;
  const older = theirs.protocol < protocolVersion ? "this node" : "the cluster";
  throw refused(
    "join.version_incompatible",
    `this node runs chime-node ${theirs.binaryVersion} (protocol ${theirs.protocol}), ` +
      `the cluster runs ${ourBinary} (protocol ${protocolVersion}): they cannot talk to each other`,
    `install the same release on both: ${older} has the older one`,
  );
}

/**
 * Decides on a request to join; pure, nothing is changed. The order of the questions is fixed, so that one cause
 * always gives the same answer, and nothing of the cluster is told before the token is proved.
 * @throws ChimeError `token.{unknown,revoked,expired,used_up,role_not_allowed}`,
 *   `join.{bad_request,unknown_role,clock_skew,name_taken,address_taken,role_full}`, `role.witness`, `disk.count`, all exit 3
 */
export function decide(request: JoinRequest, context: AdmissionContext): Verdict {
  const token = context.tokens.find((candidate) => candidate.id === request.token.id);
  if (!token || !secretMatches(request.token.secret, token.hash)) {
    throw refused(
      "token.unknown",
      `cluster ${context.cluster.name} does not know this token`,
      "chime-node token create on a member, and use what it prints",
    );
  }
  if (
    !isUsableKey(request.publicKey) ||
    !verifyFields(request.publicKey, possessionFields(request), request.possession)
  ) {
    throw refused("join.bad_request", "the request is not signed by the key that it wants certified");
  }
  if (token.revoked) throw refused("token.revoked", `token ${token.id} was revoked`, anotherToken);
  const mine = context.admissions.find((a) => !a.left && a.publicKey === request.publicKey);
  if (mine && mine.name === request.name && mine.address === request.address && sameKind(mine, request)) {
    checkRoles(request, token, context, mine.index);
    return { kind: "again", admission: mine };
  }
  if (context.now >= token.expiry * 1000) {
    const when = new Date(token.expiry * 1000).toISOString().replace(/\.\d+/, "");
    throw refused("token.expired", `token ${token.id} expired at ${when}`, anotherToken);
  }
  if (token.uses > 0 && token.usedBy.length >= token.uses) {
    const times =
      token.uses === 1 ? "once, as often as it may be" : `${token.uses} times, as often as it may be`;
    throw refused("token.used_up", `token ${token.id} was used ${times}`, anotherToken);
  }
  checkRoles(request, token, context, mine?.index);
  checkClock("this node", request.wall, context.now);
  checkUnique(request, context, mine);
  return { kind: "new", token, superseded: mine };
}

const anotherToken = "chime-node token create on a member, and use the new token";

function sameKind(admission: Admission, request: JoinRequest): boolean {
  return admission.witness === isWitness(request.roles);
}

/** Only a node that takes no other role is kept from the CA key and the secrets. */
export function isWitness(roles: readonly string[]): boolean {
  return roles.length === 1 && roles[0] === "witness";
}

function checkRoles(
  { roles, disks }: Pick<JoinRequest, "roles" | "disks">,
  token: TokenRecord,
  context: AdmissionContext,
  self: number | undefined,
): void {
  const denied = roles.find((role) => token.roles.length > 0 && !token.roles.includes(role));
  if (denied) {
    throw refused(
      "token.role_not_allowed",
      `token ${token.id} is for the role ${token.roles.join(", ")}, not for ${denied}`,
      `run \`chime-node token create --role ${denied}\` on a member, or join with --role ${token.roles.join(",")}`,
    );
  }
  checkWitness(roles);
  checkRoom(roles, context, self);
  if (disks === undefined) return;
  checkDisks(
    roles,
    roles.reduce((sum, role) => sum + (context.roleLimit(role)?.disks ?? 0), 0),
    disks,
  );
}

/** @param given how many, for `wanted` of the layout @throws ChimeError `disk.count` */
export function checkDisks(roles: readonly string[], wanted: number, given: number): void {
  if (given === wanted) return;
  throw refused(
    "disk.count",
    `${roles.join(", ")} takes ${wanted} disks a node, and ${given} ${given === 1 ? "is" : "are"} given`,
    {
      remedy: "--disk DEV for each: chime-node disks shows those that are free",
    },
  );
}

/**
 * A witness is a third voice only where it cannot fall with a node that it has a say on.
 * @param roles all that the member would have
 * @throws ChimeError `role.witness`
 */
export function checkWitness(roles: readonly string[]): void {
  const others = roles.filter((role) => !isWitness([role]));
  if (others.length === 0 || others.length === roles.length) return;
  throw refused(
    "role.witness",
    `a witness runs nothing else, and this would be one beside ${others.join(", ")}: no third voice`,
    "chime-node join --role witness on a machine that has no other role",
  );
}

/**
 * @param self index of the member that asks, which does not count against itself
 * @throws ChimeError `join.unknown_role`, `join.role_unconfigured`, `join.role_full`
 */
export function checkRoom(
  roles: readonly string[],
  context: Pick<AdmissionContext, "admissions" | "roleLimit">,
  self: number | undefined,
): void {
  for (const role of roles) {
    const limit = context.roleLimit(role);
    if (!limit) {
      throw refused("join.unknown_role", `the cluster knows no role ${role}`, "chime-node join --help");
    }
    if (limit.max === 0) throw unconfigured(role);
    const holders = context.admissions.filter((a) => !a.left && a.index !== self && a.roles.includes(role));
    if (holders.length >= limit.max) {
      const who = holders.map((holder) => holder.name).join(" and ");
      throw refused(
        "join.role_full",
        `role ${role} is complete with ${who}: ${limit.reason}`,
        `join with another role, such as --role witness, or run \`chime-node remove\` for a member that is gone`,
      );
    }
  }
}

/** A member with a role that cluster.toml does not know would stop every agent: none could say what it is to do. */
export function unconfigured(role: string): ChimeError {
  return refused("join.role_unconfigured", `the cluster's cluster.toml has no [roles.${role}]`, {
    remedy: `on a member, add [roles.${role}] with vip = "ADDRESS" to /etc/chime-node/cluster.toml, and run \`chime-node apply\``,
  });
}

/** @param whose "this node" or its name @throws ChimeError `join.clock_skew` */
export function checkClock(whose: string, theirs: number, ours: number): void {
  const skew = theirs - ours;
  if (Math.abs(skew) <= maxClockSkewMs) return;
  throw refused(
    "join.clock_skew",
    `${whose}'s clock is ${duration(Math.abs(skew))} ${skew > 0 ? "ahead of" : "behind"} the cluster's; ` +
      "60 seconds are allowed",
    "set the clock, best by running chrony or systemd-timesyncd, then try again",
  );
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} seconds`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}

function checkUnique(request: JoinRequest, context: AdmissionContext, mine: Admission | undefined): void {
  const others = context.admissions.filter((a) => !a.left && a !== mine);
  const namesake = others.find((other) => other.name === request.name);
  if (namesake) {
    throw refused(
      "join.name_taken",
      `the name ${request.name} belongs to the member at ${namesake.address}`,
      `join with another --name, or, if that node is gone, run \`chime-node remove ${request.name}\` on a member`,
    );
  }
  const neighbour = others.find((other) => other.address === request.address);
  if (neighbour) {
    throw refused(
      "join.address_taken",
      `the address ${request.address} belongs to the member ${neighbour.name}`,
      `join with another --address, or, if that node is gone, run \`chime-node remove ${neighbour.name}\` on a member`,
    );
  }
}

type Unsigned<T extends { signature: string }> = Omit<T, "signature">;

function admissionFields(clusterId: string, a: Unsigned<Admission>): unknown[] {
  return ["chime-admission-1", clusterId, a.index, a.name, a.address, a.publicKey, a.witness];
}

function tokenFields(clusterId: string, t: Unsigned<TokenRecord>): unknown[] {
  return ["chime-token-1", clusterId, t.id, t.hash, t.expiry, t.roles, t.uses];
}

export function signAdmission(caKey: string, clusterId: string, admission: Unsigned<Admission>): Admission {
  return { ...admission, signature: signFields(caKey, admissionFields(clusterId, admission)) };
}

export function signToken(caKey: string, clusterId: string, token: Unsigned<TokenRecord>): TokenRecord {
  return { ...token, signature: signFields(caKey, tokenFields(clusterId, token)) };
}

/** What stands for an admission in the list of those that a rotation of the CA leaves admitted. */
export function admissionHash(clusterId: string, admission: Unsigned<Admission>): string {
  const fields = JSON.stringify(admissionFields(clusterId, admission));
  return createHash("sha256").update(fields).digest("base64url");
}

export function admissionIsGenuine(
  { caKey, listed }: Trust,
  clusterId: string,
  admission: Admission,
): boolean {
  const hash = listed.get(admission.index);
  if (hash !== undefined && hash === admissionHash(clusterId, admission)) return true;
  return verifyFields(caKey, admissionFields(clusterId, admission), admission.signature);
}

export function tokenIsGenuine({ caKey }: Trust, clusterId: string, token: TokenRecord): boolean {
  return verifyFields(caKey, tokenFields(clusterId, token), token.signature);
}

/** Indexes are never given again: one more than any that ever was. */
export function nextIndex(admissions: readonly Admission[]): number {
  return Math.max(0, ...admissions.map((admission) => admission.index)) + 1;
}

export function isRemoved(error: unknown): boolean {
  return error instanceof ChimeError && error.code === "member.removed";
}

/** What a member hears that is one no more: it comes back only as a new one. */
export function removed(name: string): ChimeError {
  return refused(
    "member.removed",
    `${name} was removed from the cluster`,
    `run \`chime-node reset\` on ${name}, then join again`,
  );
}
