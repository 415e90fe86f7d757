/** What an operation needs of whoever started it: the command line, or a test. */
export interface Io {
  signal: AbortSignal;
  /** What is done or awaited right now. */
  readonly progress: (line: string) => void;
  /** A line that stays. */
  readonly note: (line: string) => void;
  readonly warn: (line: string) => void;
  /** True when the operator agrees. @throws ChimeError `usage.needs_yes` where nobody can be asked */
  readonly confirm: (question: string) => Promise<boolean>;
}
