import type { Check, Finding } from "../checks.ts";
import { parseAuto, propose } from "./auto.ts";
import { lookAtDisks, type Disk } from "./look.ts";
import { numberAt } from "./number.ts";

/** Where a bare word may lie: a kernel name, then the stable names. */
const places = ["/dev", "/dev/disk/by-id", "/dev/disk/by-path"];

type NumberOf = (path: string) => string | undefined;

/** What a word stands for, and what is to be said about it. */
export interface Choice {
  word: string;
  disks: readonly Disk[];
  finding: Finding | undefined;
}

/** One check for each word that an operator gave: `/dev/disk/by-id/…`, `/dev/sdb`, `sdb`, `auto:3x4T`. */
export function diskChecks(words: readonly string[], look: () => Promise<Disk[]> = lookAtDisks): Check[] {
  let choosing: Promise<Choice[]> | undefined;
  return words.map((_, index) => ({
    name: "disk",
    async run() {
      choosing ??= look().then((disks) => chooseDisks(words, disks, numberAt));
      return (await choosing)[index]?.finding;
    },
  }));
}

/**
 * Pure: the disks that these words stand for, each at most once.
 * @param numberOf the block device at a path
 */
export function chooseDisks(words: readonly string[], disks: readonly Disk[], numberOf: NumberOf): Choice[] {
  const choices: Choice[] = [];
  // Those that have a name of their own are nothing to choose from.
  const named = words.flatMap((word) => find(word, disks, numberOf) ?? []);
  for (const word of words) {
    const taken = choices.flatMap((choice) => choice.disks);
    const left = disks.filter((disk) => !taken.includes(disk) && !named.includes(disk));
    choices.push(
      word.startsWith("auto:")
        ? chooseAuto(word, left)
        : chooseNamed(word, choices, find(word, disks, numberOf)),
    );
  }
  return choices;
}

function chooseNamed(word: string, before: readonly Choice[], disk: Disk | undefined): Choice {
  const no = (message: string, remedy: string): Choice => ({
    word,
    disks: [],
    finding: error(message, remedy),
  });
  if (!disk) return no(`there is no disk ${word}`, "chime-node disks names those that there are");
  const twice = before.find(({ disks }) => disks.includes(disk));
  if (twice) return no(`${word} is the same disk as ${twice.word}`, "give each disk once");
  const { reason, warnings } = disk.verdict;
  // Taken for what it is, so that its second name is found out, too.
  if (reason) return { word, disks: [disk], finding: error(`${word} ${reason.message}`, another) };
  const finding = warnings.length > 0 ? warning(`${word} ${warnings.join("; ")}`) : undefined;
  return { word, disks: [disk], finding };
}

/** A proposal is never more than that: who takes it has to be told its names, and to agree. */
function chooseAuto(word: string, left: readonly Disk[]): Choice {
  const wanted = parseAuto(word);
  if (!wanted) {
    return {
      word,
      disks: [],
      finding: error(`${word} is not understood`, "auto:NxSIZE, as auto:3x4T, auto:2x500G or auto:3x3.6Ti"),
    };
  }
  const proposal = propose(wanted, left);
  if (typeof proposal === "string") return { word, disks: [], finding: error(`${word} ${proposal}`, byName) };
  const names = proposal.disks.map(({ facts }) => facts.stableName);
  const more = proposal.fit > names.length ? `, the first of ${proposal.fit} that fit` : "";
  const remedy = `nothing, if these are meant; else name them: --disk ${names.join(" --disk ")}`;
  return {
    word,
    disks: proposal.disks,
    finding: { severity: "warning", message: `${word} would take ${names.join(", ")}${more}`, remedy },
  };
}

function find(word: string, disks: readonly Disk[], numberOf: NumberOf): Disk | undefined {
  const paths = word.startsWith("/") ? [word] : places.map((place) => `${place}/${word}`);
  for (const path of paths) {
    const number = numberOf(path);
    const disk = number && disks.find(({ facts }) => facts.device.number === number);
    if (disk) return disk;
  }
  return undefined;
}

const another = "give another disk: chime-node disks shows those that are free";
const byName = "name the disks: chime-node disks shows those that are free";
const error = (message: string, remedy: string): Finding => ({ severity: "error", message, remedy });
const warning = (message: string): Finding => ({
  severity: "warning",
  message,
  remedy: "nothing, if that is meant",
});
