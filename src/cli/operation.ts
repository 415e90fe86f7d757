import type { Io } from "../operations/io.ts";
import type { Output } from "./output.ts";

/** The command line as operations see it. */
export function operationIo({ out, signal }: { out: Output; signal: AbortSignal }): Io {
  return {
    signal,
    progress: out.progress,
    note: out.note,
    warn: out.warn,
    confirm: (question) => out.confirm(question),
  };
}
