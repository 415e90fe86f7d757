import { refused } from "../../core/errors.ts";
import { apt } from "./apt.ts";
import type { PackageManager } from "./types.ts";

const managers: Partial<Record<string, PackageManager>> = { debian: apt };

/** By `Facts.os.family`. @throws ChimeError `host.unsupported` */
export function packageManager(family: string): PackageManager {
  const manager = managers[family];
  if (!manager) throw refused("host.unsupported", `packages of this system (${family}) cannot be installed`);
  return manager;
}
