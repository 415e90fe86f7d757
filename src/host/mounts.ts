import { readFileSync } from "node:fs";
import { parseMounts, type Mount } from "./disks/tables.ts";

/** What is mounted at a path in our own mount namespace, on top where several are. */
export function mountedAt(path: string): Mount | undefined {
  return parseMounts(readFileSync("/proc/self/mountinfo", "utf8")).findLast(({ target }) => target === path);
}
