/** What an operation needs of whoever started it: the command line, or a test. */
export interface Io {
  signal: AbortSignal;
  /** What is done or awaited right now. */
  progress(line: string): void;
  /** A line that stays. */
  note(line: string): void;
  warn(line: string): void;
  /** True when the operator agrees. @throws ChimeError `usage.needs_yes` where nobody can be asked */
  confirm(question: string): Promise<boolean>;
}
