import { exec, isInstalled } from "../../core/exec.ts";
import { readText } from "../files.ts";
import { disksOf, parseMdstat, parsePvs, parseSwaps, parseTable, parseZpool, tablePath } from "./tables.ts";
import { numberAt } from "./number.ts";

/** What the machine's own tables and volume managers count as theirs, by device number. */
export interface Belongings {
  swaps: Set<string>;
  /** `the volume group vg0`. */
  members: Map<string, string>;
  /** Kernel name → array. */
  arrays: Map<string, string>;
  /** Number → the file that names it or a partition of it. */
  named: Map<string, string>;
  trouble: string[];
}

/** Asks them all. A manager that is not installed has nothing; one that fails is trouble for every disk. */
export async function readBelongings(): Promise<Belongings> {
  const found: Belongings = {
    swaps: new Set(),
    members: new Map(),
    arrays: new Map(),
    named: new Map(),
    trouble: [],
  };
  const attempt = (look: () => Promise<void>) =>
    look().catch((error: unknown) => void found.trouble.push((error as Error).message));
  const belong = (members: ReadonlyMap<string, string>, words: string) => {
    for (const [path, name] of members) {
      const number = numberAt(path);
      if (number !== undefined) found.members.set(number, name ? `${words} ${name}` : `${words} (none yet)`);
    }
  };
  await Promise.all([
    attempt(async () => {
      for (const path of parseSwaps((await readText("/proc/swaps")) ?? "")) {
        const number = numberAt(path);
        if (number !== undefined) found.swaps.add(number);
      }
    }),
    attempt(async () => void (found.arrays = parseMdstat((await readText("/proc/mdstat")) ?? ""))),
    attempt(async () => name(found.named, "/etc/fstab", 1)),
    attempt(async () => name(found.named, "/etc/crypttab", 2)),
    attempt(async () => {
      const argv = ["pvs", "--noheadings", "--separator", "|", "--options", "pv_name,vg_name"];
      belong(parsePvs(await askManager(argv)), "the volume group");
    }),
    attempt(async () => belong(parseZpool(await askManager(["zpool", "status", "-LP"])), "the ZFS pool")),
  ]);
  return found;
}

async function name(named: Map<string, string>, file: string, field: 1 | 2): Promise<void> {
  for (const word of parseTable((await readText(file)) ?? "", field)) {
    const path = tablePath(word);
    if (path === undefined) continue;
    for (const candidate of [path, ...disksOf(path)]) {
      const number = numberAt(candidate);
      if (number !== undefined && !named.has(number)) named.set(number, file);
    }
  }
}

/** @throws ChimeError when it is installed and fails */
async function askManager(argv: readonly string[]): Promise<string> {
  if (!isInstalled(argv[0] ?? "")) return "";
  return (await exec(argv, { timeoutMs: 20_000 })).stdout;
}
