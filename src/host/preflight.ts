import { refused, toChimeError, usageError, type ChimeError } from "../core/errors.ts";
import { inTurns } from "../core/in-turns.ts";
import { nearest } from "../core/nearest.ts";
import type { Check, Finding } from "./checks.ts";

export interface CheckResult {
  name: string;
  /** An error that was ignored by name is a warning. */
  result: "ok" | "warning" | "error";
  /** Empty when ok, unless there is something to know. */
  message: string;
  /** Empty when ok. */
  remedy: string;
}

export interface PreflightReport {
  /** In the order of the checks. */
  checks: CheckResult[];
  /** True when no check ended in an error. */
  ok: boolean;
}

/** A check waits for the network or a program, not for a core; more than this would only crowd small machines. */
const sideBySide = 8;

/**
 * Runs all checks, whatever the others find. A check that fails itself counts as an error: what could not be looked
 * at is not fine.
 * @param ignore names of checks whose errors become warnings
 * @param later names that may be ignored, too, for their checks come in a later run of the same command
 * @throws ChimeError `usage.unknown_check` (exit 2) for a name that no check has
 */
export async function runChecks(
  checks: readonly Check[],
  ignore: readonly string[] = [],
  later: readonly string[] = [],
): Promise<PreflightReport> {
  const names = [...new Set([...checks.map(({ name }) => name), ...later])];
  for (const name of ignore) if (!names.includes(name)) throw unknownCheck(name, names);
  const results: CheckResult[] = [];
  await inTurns([...checks.entries()], sideBySide, async ([index, check]) => {
    results[index] = toResult(check.name, await runCheck(check), ignore.includes(check.name));
  });
  return { checks: results, ok: results.every(({ result }) => result !== "error") };
}

/**
 * Stops a command whose preflight found errors.
 * @throws ChimeError `preflight.failed` (exit 3), one line a check: `NAME: message`
 */
export function requirePassed({ checks }: PreflightReport): void {
  const errors = checks.filter(({ result }) => result === "error");
  if (errors.length === 0) return;
  const [only] = errors;
  if (only && errors.length === 1) {
    throw refused("preflight.failed", `${only.name}: ${only.message}`, only.remedy);
  }
  const lines = errors.map(({ name, message, remedy }) => `  ${name}: ${message}\n    → ${remedy}`);
  throw refused(
    "preflight.failed",
    `${errors.length} checks of this machine failed, nothing was touched\n${lines.join("\n")}`,
    "correct these, then run the same command again",
  );
}

async function runCheck(check: Check): Promise<Finding | undefined> {
  try {
    return await check.run();
  } catch (error) {
    const { message, remedy } = toChimeError(error);
    return {
      severity: "error",
      message: `could not be checked: ${message}`,
      remedy: remedy ?? `run again with --ignore ${check.name} if it is fine`,
    };
  }
}

function toResult(name: string, finding: Finding | undefined, ignored: boolean): CheckResult {
  if (!finding) return { name, result: "ok", message: "", remedy: "" };
  const { severity, message, remedy } = finding;
  if (severity === "error" && ignored)
    return { name, result: "warning", message: `${message} (ignored)`, remedy };
  return { name, result: severity, message, remedy };
}

function unknownCheck(name: string, known: readonly string[]): ChimeError {
  const meant = nearest(name, known);
  return usageError(
    "usage.unknown_check",
    `--ignore: there is no check "${name}"`,
    meant ? `did you mean ${meant}?` : `the checks are ${known.join(", ")}`,
  );
}
