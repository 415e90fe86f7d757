import type { Ledger } from "../plan/ledger.ts";

/** Why something is to be changed: what is desired is new, or the host was changed by hand. */
export type Cause = "spec" | "drift";

export type Action = "create" | "update" | "delete";

/** What a change does to a running service, in rising order of pain. `apply` asks for restart and data. */
export type Impact = "none" | "reload" | "restart" | "data";

/** What one resource would do now. `apply` of it is only ever called through the plan engine (law 1). */
export interface Change {
  action: Action;
  impact: Impact;
  /** For people: a unified diff of a file, `+ name` of a package, one line of anything else. No secrets. */
  diff: string;
  /** What a plan adds to the diff and an apply does not wait for: which version of a package it would be. */
  more?(): Promise<string>;
  /** Default: `spec` until the ledger has reached what is desired, `drift` from then on. */
  cause?: Cause;
  apply(context: ApplyContext): Promise<void>;
  /**
   * In a lane: applies this change and the others that are ready with it as one act (one package run).
   * @returns those that failed by themselves: the others are done
   * @throws where none is
   */
  together?(others: readonly Change[], context: ApplyContext): Promise<Failures>;
}

/** Why each of them failed. */
export type Failures = ReadonlyMap<Change, unknown>;

export interface InspectContext {
  ledger: Ledger;
  /** True when a resource this one needs would change first: what cannot be looked at yet counts as to be made. */
  pending(id: string): boolean;
}

export interface ApplyContext {
  ledger: Ledger;
  signal: AbortSignal;
  /** What can still be taken for not begun is given up then. */
  giveUp?: AbortSignal | undefined;
  /** A progress line: says what is being done or awaited right now. */
  progress(line: string): void;
  /** Asks the guard of a role on this node. @throws ChimeError `agent.not_running`, `role.not_here`, or the guard's own */
  ask(role: string, method: string): Promise<unknown>;
}

/**
 * One thing on the host that we keep in a desired state. `inspect` only looks, and looks afresh each time:
 * what an earlier run believed is never trusted.
 */
export interface Resource {
  /** `kind:name`, unique in a plan, e.g. `file:/etc/keepalived/keepalived.conf`. */
  readonly id: string;
  /** Ids that must be in their desired state first. */
  readonly needs: readonly string[];
  /**
   * Hash of the desired state (`fingerprint()`). Equal to the ledger's: the host was changed by hand (drift).
   * Different: the spec or the membership asks for something new.
   */
  readonly desired: string;
  /** Resources of one lane are never applied side by side, e.g. packages: dpkg has one lock. */
  readonly lane?: string;
  /** Returns undefined when the host already is as desired. */
  inspect(context: InspectContext): Promise<Change | undefined>;
}

/** What the ledger keeps of a resource, so that reset can take it back: plain JSON, by kind. */
export interface Kind {
  /** The part of the id before the colon. */
  readonly name: string;
  /** Puts back what was there before the first apply. Idempotent: a killed reset is run again. */
  undo(id: string, before: unknown, context: UndoContext): Promise<void>;
  /** Called once everything was undone, e.g. to start again what ran before, with its old files. Idempotent too. */
  settle?(id: string, before: unknown, context: UndoContext): Promise<void>;
}

export interface UndoContext {
  progress(line: string): void;
}
