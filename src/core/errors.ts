/** Exit codes of the contract: 2 and 3 promise that nothing was touched. */
export const Exit = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  problems: 4,
  interrupted: 130,
} as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

interface ErrorDetails {
  /** The node it happened on, where that is not the node the command ran on. */
  node?: string | undefined;
  /** What to run or change next, as one imperative sentence. */
  remedy?: string | undefined;
  cause?: unknown;
}

/** The only error a user sees: a stable code, one sentence with the cause, and what to do next. */
export class ChimeError extends Error {
  override readonly name = "ChimeError";
  readonly code: string;
  readonly exit: ExitCode;
  readonly node: string | undefined;
  readonly remedy: string | undefined;

  constructor(exit: ExitCode, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.exit = exit;
    this.node = details.node;
    this.remedy = details.remedy;
  }
}

/** Wrong usage or config; nothing was touched. */
export function usageError(code: string, message: string, remedy?: string): ChimeError {
  return new ChimeError(Exit.usage, code, message, { remedy });
}

/** A safety check said no; nothing was touched. */
export function refused(code: string, message: string, details: ErrorDetails | string = {}): ChimeError {
  return new ChimeError(
    Exit.refused,
    code,
    message,
    typeof details === "string" ? { remedy: details } : details,
  );
}

/** The work was started and did not succeed; the next run goes on from what it finds. */
export function failed(code: string, message: string, details: ErrorDetails | string = {}): ChimeError {
  return new ChimeError(
    Exit.failed,
    code,
    message,
    typeof details === "string" ? { remedy: details } : details,
  );
}

/** What an aborted piece of work ends with: its own last words where it has some, else the reason of the abort. */
export function whyAborted(error: unknown, { reason }: AbortSignal): unknown {
  return error instanceof ChimeError && error.exit === Exit.interrupted ? error : reason;
}

/** The wire and `--json` form. */
export interface ErrorJson {
  code: string;
  message: string;
  node: string | null;
  remedy: string | null;
}

export function errorJson(error: unknown): ErrorJson {
  const e = toChimeError(error);
  return { code: e.code, message: e.message, node: e.node ?? null, remedy: e.remedy ?? null };
}

/** Wraps what we did not foresee; the code `internal` is a bug report. */
export function toChimeError(error: unknown): ChimeError {
  if (error instanceof ChimeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ChimeError(Exit.failed, "internal", message, {
    cause: error,
    remedy: "run again with --verbose and report the trace",
  });
}
