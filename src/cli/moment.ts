import { usageError } from "../core/errors.ts";
import { parseDuration } from "./duration.ts";

const date = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * A moment as somebody types it: `2026-11-22`, `2026-11-22T08:00:00Z` (UTC where nothing else is said), how long ago,
 * `90m`, or `now`. Milliseconds since the Unix epoch. Pure.
 * @throws ChimeError `usage.time`
 */
export function parseMoment(flag: string, text: string, now: number): number {
  if (text === "now") return now;
  const ago = parseDuration(text);
  if (ago !== undefined) return now - ago;
  const [, day, time = "00:00", zone = "Z"] = date.exec(text) ?? [];
  const ms = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  // The 31st of November would be the 1st of December.
  const isDay = Number.isFinite(ms) && new Date(`${day}T00:00Z`).toISOString().startsWith(day ?? "");
  if (isDay) return ms;
  throw usageError(
    "usage.time",
    `${flag} ${text} is no moment`,
    `${flag} 2026-11-22T08:00:00Z, ${flag} 2h for two hours ago, or ${flag} now`,
  );
}
