import type { Check } from "../host/checks.ts";
import type { GivenDisk } from "../host/disks/record.ts";
import type { Facts } from "../host/facts.ts";
import type { Member, MemberView, Phase, RoleName } from "../cluster/types.ts";
import type { Resource } from "../resources/types.ts";
import type { Secrets, Spec } from "../spec/types.ts";
import type { BalancedService } from "../vip/balancer/types.ts";
import type { Guard, GuardDeps, Problem } from "./guard.ts";

/** All a role may know: the same spec, members and secrets give the same resources on every node. */
export interface RoleContext {
  spec: Spec;
  cluster: { name: string; id: string };
  self: Member;
  /** Every member that has not left, self included, by rising index. */
  members: readonly Member[];
  facts: Facts;
  secrets: Secrets;
}

/** What is known of a node before it is in a cluster: enough for a role's own preflight checks. */
export interface LocalContext {
  facts: Facts;
  node: string;
  address: string;
  /** Undefined at `init`, and where nobody said which cluster. */
  clusterId: string | undefined;
  /** Undefined before a join: the spec comes with the admission. */
  spec: Spec | undefined;
}

/** What a role asks of `vip/`, which knows no role. */
export interface VipRequest {
  /** Stable instance name and VRID slot, e.g. "mysql". */
  name: string;
  /** `ADDRESS/PREFIX` as configured, without prefix = /32. */
  address: string;
  /** The role's nodes, self included; the lower index has the higher priority. */
  nodes: readonly Member[];
  /** The node that comes before them all. */
  home?: string | undefined;
}

/** What a disk becomes that is given to a role. */
export interface DiskSlot {
  /** Of its file system, 12 characters at most. */
  label: string;
  /** Where it is mounted. */
  at: string;
}

/** A disk that carries a file system of a role, and data. */
export interface KeptDisk {
  /** Of its file system. */
  label: string;
  device: string;
  /** Of the file by which the role knows its own. */
  content: string;
}

/** How a role that stores on whole disks takes up those that were kept through a reset. */
export interface KeptDisks {
  /** What its file systems are called. */
  label: RegExp;
  /** The file by which it knows its own, relative to a disk's root. */
  file: string;
  /** Makes them this node's own. @throws ChimeError `disk.not_ours` (exit 3) where it is not certain that they are */
  takeUp(context: RoleContext, kept: readonly KeptDisk[], signal: AbortSignal): Promise<void>;
}

/** How a role that stores on whole disks has one of this node's replaced (`disk replace`). */
export interface DiskCare {
  /** @throws ChimeError `disk.needed` (exit 3) where the role cannot do without the disk, or could not fill another one */
  requireSpare(context: RoleContext, at: string, signal: AbortSignal): Promise<void>;
  /** All that makes a disk of the role a disk of this node. */
  resources(context: RoleContext, given: GivenDisk): Resource[];
  /** An empty file system is mounted there: the service may write to it from now on. */
  handOver(context: RoleContext, at: string): Promise<void>;
  /** How far the service is with filling it. @throws ChimeError where the service cannot be asked now */
  filling(context: RoleContext, at: string, signal: AbortSignal): Promise<Filling>;
}

export interface Filling {
  /** `waiting`: the service has not taken the disk yet. */
  state: "waiting" | "filling" | "done";
  /** One line for progress. */
  line: string;
}

/** Resources by the phase that they complete; the phases are the barriers between nodes. */
export type RolePlan = Record<Exclude<Phase, "joined">, Resource[]>;

/** `status.roles.<role>` of the contract. */
export type RoleStatus = PairStatus | StoreStatus | TwinStatus;

/** Of a role with one writer. */
export interface PairStatus {
  topology: string;
  engine: string;
  writable: string[];
  nodes: PairNodeStatus[];
  /** The members whose majority decides who may write; empty before the first writer was chosen. */
  voters: string[];
}

export interface PairNodeStatus {
  name: string;
  state: "writer" | "replica" | "quarantined" | "down";
  replicating: boolean;
  lag_seconds: number | null;
  semi_sync: boolean;
  /** True while every acknowledged commit is on both nodes. */
  protected: boolean;
}

/** How many drives, or else nodes, may be lost at once, whichever they are. */
export interface Loss {
  drives: number;
  nodes: number;
}

/** What a store's layout stands. */
export interface MayBeLost {
  /** While everything is still read. */
  reads: Loss;
  /** While writes go on. */
  writes: Loss;
  /** The same for people. */
  line: string;
}

/** Of a role whose nodes serve together. */
export interface StoreStatus {
  topology: string;
  engine: string;
  nodes: StoreNodeStatus[];
  drives: { total: number; online: number; healing: number };
  /** Drives that have to be online. */
  quorum: { read: number; write: number };
  /** What the layout stands, with everything there and in order: not what is left of that now. */
  may_be_lost: Pick<MayBeLost, "reads" | "writes">;
  /** Of the online drives, bytes; what parity costs is not taken off. Null while no node tells. */
  capacity: { total: number; free: number } | null;
  /**
   * What its bucket keeps of objects that were written over or deleted: for a day, as an operator has said (`own`), or none.
   * Null while no node tells, and of two stores that copy to each other.
   */
  older_states: "day" | "own" | "none" | null;
}

export interface StoreNodeStatus {
  name: string;
  /** `waiting`: not all nodes of the layout are there, or the others do not answer its server yet. */
  state: "serving" | "waiting" | "down";
  drives: { total: number; online: number; healing: number };
  /** SHA-256 of the operator's own program; null where it came as a package. */
  binary_sha256: string | null;
}

/** Of a role whose clients write to both nodes and read from one. */
export interface TwinStatus {
  topology: string;
  engine: string;
  nodes: TwinNodeStatus[];
}

export interface TwinNodeStatus {
  name: string;
  /** `waiting`: its server does not take and give points yet, or is not known to belong here. */
  state: "serving" | "waiting" | "down";
  /** It has all that the other one has, as far as is known. */
  complete: boolean;
  /** From when on it may lack points, ISO 8601, and how much of that was compared and filled; null: it lacks none. */
  gap: { since: string; done: number } | null;
  /**
   * Nobody knows that it lacks any, but points that have a time before this, ISO 8601, and came late in its last outage, are
   * not looked for yet; null: they were.
   */
  uncompared_before: string | null;
  /** SHA-256 of the operator's own program; null where it came as a package. */
  binary_sha256: string | null;
}

/** Whether one node of it writes, so that writing can move. */
export function isPair(status: RoleStatus): status is PairStatus {
  return "writable" in status;
}

/** Whether its nodes share the objects among their drives. */
export function isStore(status: RoleStatus): status is StoreStatus {
  return "drives" in status;
}

/** One role: pure on the left of `plan`, a guard in the agent on the right. Registered in roles/index.ts. */
export interface Role {
  readonly name: RoleName;
  /** Generated once for the cluster at init and carried to every member but witnesses: `secrets.<role>.<name>`. */
  readonly secretNames: readonly string[];
  /** Those of them that `secrets rotate` changes while the role serves; its guard sees to it. None: no rotation. */
  readonly rotates?: readonly string[];
  /** Those that applications hold: another one is made beside it, and the old one is taken until it is retired. */
  readonly replaces?: readonly string[];
  /** Where that cannot be done: why, and what an operator does instead. */
  readonly rotatedByHand?: { why: string; remedy: string };
  /** What of the catalog a node with it needs, its VIP's included. */
  products(spec: Spec): readonly string[];
  /** How many members may have it: none where the spec does not configure it. A member more is refused with `reason`. */
  limit(spec: Spec): { max: number; reason: string };
  /** Named preflight checks of this role alone (ports, foreign data, sizes). Nothing is touched. */
  checks(local: LocalContext): Check[];
  /** Whom this node has to wait for before it may be configured, one line; undefined: nobody. None: it never waits. */
  awaits?(context: RoleContext): string | undefined;
  /** How many disks a node gives to it (`join --disk`), and how they are called and where they are mounted. */
  disks?(spec: Spec): readonly DiskSlot[];
  /** None where the role takes no disks. */
  readonly diskCare?: DiskCare;
  /** None: what is on a disk is never taken up. */
  readonly keptDisks?: KeptDisks;
  /** None where the role says otherwise what it stands. Of a role that the spec configures. */
  mayBeLost?(spec: Spec): MayBeLost;
  plan(context: RoleContext): RolePlan;
  vip(context: RoleContext): VipRequest | undefined;
  /** What its VIP's holder spreads over its nodes; undefined where the holder itself serves. */
  balanced?(context: RoleContext): readonly BalancedService[];
  /** `secrets show --role`: how to connect (shape fixed by the contract). */
  connection(context: RoleContext): Record<string, unknown>;
  /**
   * Another node's machine has vanished (nothing of it answers any more): ends what its server left behind with those that
   * go on. Called some times, a second apart.
   */
  afterVanished?(context: RoleContext, node: string): Promise<void>;
  /**
   * What its server here waits for until it goes by the certificates that are there: shows its own, and trusts the CAs, where it
   * reads them itself. Undefined: it does, or has none. A rotation of the CA goes no further before that.
   */
  unrenewed?(context: RoleContext): Promise<string | undefined>;
  /** The nodes that are there and whose agents do not see to that, by name: a rotation of the CA does not begin. */
  cannotFollow?(context: RoleContext, members: readonly MemberView[]): string[];
  /** The role's part of `status`, from the members' published `roleState` alone (any node can tell it); undefined where there is none (witness). */
  status(
    context: RoleContext,
    members: readonly MemberView[],
  ): { status: RoleStatus; problems: Problem[] } | undefined;
  /** The agent's half: keeps the service's writer where the VIP is. Undefined: nothing to guard (witness). */
  guard?(deps: GuardDeps): Guard;
  /** The agent is gone for good: stops this node's service from acknowledging writes. Knows no cluster. */
  abandon?(os: Facts["os"]): Promise<void>;
}
