import type { Clock } from "../core/clock.ts";
import type { SecretState } from "../cluster/secret-store.ts";
import type { Membership } from "../cluster/types.ts";
import type { AskGateway } from "../cluster/vote/gateway.ts";
import type { Voter } from "../cluster/vote/voter.ts";
import type { VipState } from "../vip/fifo.ts";
import type { Happening } from "./happening.ts";
import type { RoleContext } from "./types.ts";

export type Severity = "error" | "warning";
export interface Problem {
  code: string;
  severity: Severity;
  node: string;
  message: string;
  remedy: string;
}

/** Of a secret that may be changed while the role serves. */
export interface ChangingSecret {
  own: SecretState;
  /** By node; none of those that have not said. Read from all their reports. */
  others(): ReadonlyMap<string, SecretState>;
}

/** What the agent lends a role's guard. */
export interface GuardDeps {
  clock: Clock;
  membership: Membership;
  /** Fresh at every call: spec and members may have changed since. */
  context(): RoleContext;
  /** Opens or closes this node's way to the VIP (keepalived's track file). Closed = FAULT, at once. */
  setEligible(eligible: boolean): void;
  vip(): VipState;
  /** Whether keepalived still has the VIP here: `vip()` is FAULT from the moment on at which the gate is closed. */
  hasVip(): boolean;
  /** Before the VIP is given up on purpose: what clients have under way at the balancer ends, nobody is let in, and it leaves. */
  drain(): Promise<void>;
  /** That is under way: it closes the gate itself, for whoever does so before breaks off what it waits for. */
  isDraining(): boolean;
  /** Other nodes that would have the VIP within a second if it left this one: their keepalived runs and stands by. */
  heirs(): string[];
  /** Tells the neighbours that the VIP is here, which another node may say of itself, too. */
  claimVip(): void;
  /** Publishes the guard's part of this node's record (`Member.roleState[role]`). */
  publish(state: unknown): Promise<void>;
  /** How far this node and the others are with changing one of the role's secrets; undefined: there is none of that name. */
  secret(name: string): ChangingSecret | undefined;
  /** Goes by the value of it that this node holds, its files too; the service is the guard's to restart. @throws ChimeError */
  takeSecret(name: string): Promise<void>;
  /** The service runs with the value that this node goes by. */
  useSecret(name: string): Promise<void>;
  /** The service takes the next value of it as well. */
  proveSecret(name: string): Promise<void>;
  /** The service does not take any more what stayed beside the current value. */
  retireSecret(name: string): Promise<void>;
  /** Somebody works on this node: it must not take over, nor go on writing. */
  inMaintenance(): boolean;
  /** For `chime-node history`. */
  record(happening: Happening): void;
  /** Whether the gateway of the nodes' network answers within so many ms: the vote that breaks a tie of two. */
  askGateway: AskGateway;
  /** This node's vote on who may write for the role, and what the guard must remember over restarts. */
  voter: Voter;
}

/** One role's watchman on one node. Lives from agent start to agent stop; nothing it does blocks the agent. */
export interface Guard {
  start(): Promise<void>;
  /** Stops watching. Must leave service, VIP and eligibility as they are: an agent restart is no failover. */
  stop(): Promise<void>;
  onVip(state: VipState): void;
  /** A peer's guard asks (`Membership.call(peer, "guard.<role>.<method>", …)`). Params come from the network. */
  handle(method: string, params: unknown, from: string): Promise<unknown>;
  /** The CLI asks on this node: "handover" before reset, "disk.changed" for a disk; in a drill what its role stands: "kill", … */
  command(method: string, params: unknown): Promise<unknown>;
  /** True once this node does its part (pair member level, or alone and serving). Drives phase `ready`. */
  ready(): boolean;
  /** What is awaited while not ready, one line for progress: "waiting for …" or "waiting to …". */
  awaiting(): string;
  /** What a change of one of the role's secrets waits for on this node, one line; undefined: for nothing that is known. */
  awaitingSecret?(name: string): string | undefined;
  problems(): Problem[];
}
