import type { Check, Finding } from "../checks.ts";
import { lookAtDisks, type Disk } from "./look.ts";
import { numberAt } from "./number.ts";

/** Where a bare word may lie: a kernel name, then the stable names. */
const places = ["/dev", "/dev/disk/by-id", "/dev/disk/by-path"];

/** One check for each disk that an operator named: `/dev/disk/by-id/…`, `/dev/sdb`, `sdb`. */
export function diskChecks(words: readonly string[], look: () => Promise<Disk[]> = lookAtDisks): Check[] {
  let looking: Promise<Disk[]> | undefined;
  return words.map((word, index) => ({
    name: "disk",
    run: async () => checkDisk(word, words.slice(0, index), await (looking ??= look()), numberAt),
  }));
}

/**
 * Pure: what stands against giving a disk to a role.
 * @param before the words that were given before it
 * @param numberOf the block device at a path
 */
export function checkDisk(
  word: string,
  before: readonly string[],
  disks: readonly Disk[],
  numberOf: (path: string) => string | undefined,
): Finding | undefined {
  const disk = find(word, disks, numberOf);
  if (!disk) return error(`there is no disk ${word}`, "chime-node disks names those that there are");
  const twice = before.find((other) => find(other, disks, numberOf) === disk);
  if (twice !== undefined) return error(`${word} is the same disk as ${twice}`, "give each disk once");
  const { reason, warnings } = disk.verdict;
  if (reason) {
    return error(
      `${word} ${reason.message}`,
      "give another disk: chime-node disks shows those that are free",
    );
  }
  if (warnings.length === 0) return undefined;
  return {
    severity: "warning",
    message: `${word} ${warnings.join("; ")}`,
    remedy: "nothing, if that is meant",
  };
}

function find(
  word: string,
  disks: readonly Disk[],
  numberOf: (path: string) => string | undefined,
): Disk | undefined {
  const paths = word.startsWith("/") ? [word] : places.map((place) => `${place}/${word}`);
  for (const path of paths) {
    const number = numberOf(path);
    const disk = number && disks.find(({ facts }) => facts.device.number === number);
    if (disk) return disk;
  }
  return undefined;
}

const error = (message: string, remedy: string): Finding => ({ severity: "error", message, remedy });
