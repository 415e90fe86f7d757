/** Placeholder of the interface; the implementation lands with the plan engine. */
export interface Ledger {
  /** Notes durably, before the first change, what was there. Later calls for the same id change nothing. */
  before(id: string, before: unknown): Promise<void>;
  /** Notes that the resource is as `desired` says now. */
  done(id: string, desired: string): Promise<void>;
  /** Hash of the desired state we last reached, if any. */
  reached(id: string): string | undefined;
  /** What `before` noted, if we touched it. */
  noted(id: string): unknown;
  /** Notes that the resource was taken back. */
  forget(id: string): Promise<void>;
  /** All ids we touched, in the order of the first touch. */
  ids(): string[];
}
