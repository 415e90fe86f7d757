import { createConsola, type ConsolaInstance, type LogObject } from "consola/core";
import { mask } from "./mask.ts";

/** Every log line goes to stderr (stdout carries results), masked, in one of two forms. */
export type LogFormat = "human" | "journal";

/** Syslog priorities, read by journald from the `<N>` prefix (sd-daemon(3)). */
const priority: Record<string, number> = { error: 3, fatal: 3, warn: 4, info: 6, debug: 7, success: 6 };

function text(log: LogObject): string {
  const parts = log.args.map((arg) => {
    if (arg instanceof Error) return arg.message;
    if (typeof arg === "string") return arg;
    return Object.entries(arg as Record<string, unknown>)
      .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join(" ");
  });
  return mask(parts.join(" "));
}

let format: LogFormat = "human";
let write = (line: string): void => void process.stderr.write(`${line}\n`);

export const log: ConsolaInstance = createConsola({
  level: 3,
  reporters: [
    {
      log(entry) {
        const line = text(entry);
        if (format === "journal") write(`<${priority[entry.type] ?? 6}>${line}`);
        else if (entry.type === "info") write(line);
        else write(`${entry.type}: ${line}`);
      },
    },
  ],
});

export function setLogFormat(next: LogFormat): void {
  format = next;
}

/** For who draws on stderr as well and must take its live line away first. */
export function setLogWriter(next: (line: string) => void): void {
  write = next;
}

export function setVerbose(): void {
  log.level = 4;
}
