import { type ChimeError, failed } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";

/** Pure readers of what rpm and dnf 4 print under LC_ALL=C.UTF-8. */

/** One line a package, for rpm(8). */
export const rpmFormat = "%{NAME}\\t%{EVR}\\n";

/** Names and versions; rpm says in words which ones it does not know. */
export function parseRpm(text: string): Map<string, string> {
  const pairs = text.split("\n").flatMap((line): [string, string][] => {
    const [name, version] = line.split("\t");
    return name && version ? [[name, version]] : [];
  });
  return new Map(pairs);
}

/** Those that `rpm -q` said it does not know. */
export function parseUnknown(text: string): string[] {
  return [...text.matchAll(/^package (\S+) is not installed$/gm)].map(([, name = ""]) => name);
}

/**
 * Names that `dnf install --assumeno` would bring. Its table has one package a line, or two lines where the name is
 * too long for its column; upgrades and what is only removed stand under titles of their own.
 */
export function parseTransaction(text: string): string[] {
  const names: string[] = [];
  let brings = false;
  for (const line of text.split("\n")) {
    const title = /^(\S.*):$/.exec(line)?.[1];
    if (title !== undefined)
      brings = /^Installing( (weak )?dependencies| group\/module packages)?$/.test(title);
    if (/^(Transaction Summary|=+)$/.test(line)) brings = false;
    const name = /^ (\S+)/.exec(line)?.[1];
    if (brings && name !== undefined) names.push(name);
  }
  return [...new Set(names)];
}

/** A step worth telling, without dnf's own decoration. */
export function parseDnfProgress(line: string): string | undefined {
  const waiting = /^Waiting for process with pid (\d+) to finish/.exec(line);
  if (waiting) return `waiting for the package manager (pid ${waiting[1]}) to release its lock`;
  const download = /^\(\d+\/\d+\): (\S+)\.rpm\s.*\|\s*([\d.]+ \S+)/.exec(line);
  if (download) return `downloading ${download[1]} (${download[2]})`;
  const step = /^ {2}(Installing|Upgrading|Erasing) +: (\S+)/.exec(line);
  return step ? `${step[1]?.toLowerCase()} ${step[2]}` : undefined;
}

/** What stands in the way of `rpm -e`: what other packages need, as rpm calls it. */
export function parseNeeded(text: string): string[] {
  return [...text.matchAll(/^\s+(.+) is needed by \(installed\) \S+$/gm)].map(([, what = ""]) => what.trim());
}

type Failure = "locked" | "unknown" | "unreachable" | "untrusted" | "no_space" | "conflict" | "other";

export function classifyDnf(output: string): Failure {
  if (/can't create transaction lock|Failed to obtain the transaction lock/.test(output)) return "locked";
  if (/No space left on device|needs \d+\S* more space|Insufficient space/i.test(output)) return "no_space";
  if (
    /GPG check FAILED|is not signed|Public key for \S+ is not installed|BAD, key|repomd.xml GPG/.test(output)
  ) {
    return "untrusted";
  }
  if (/Unable to find a match|No match for argument/.test(output)) return "unknown";
  if (/Failed to download metadata|Cannot download|Curl error|No more mirrors/.test(output))
    return "unreachable";
  if (/nothing provides|conflicting requests|conflicts with|cannot install/.test(output)) return "conflict";
  return "other";
}

/** The line that tells most, in its own words. */
export function saidByDnf(output: string): string {
  const said = output.split("\n").filter((line) => /^(Error|Problem|\s+Problem|error):/.test(line.trim()));
  return mask((said.at(-1) ?? output.trim().split("\n").at(-1) ?? "").trim());
}

/** The repository that dnf could not reach, where it names it. */
export function unreachableRepository(output: string): string | undefined {
  return /for repo '([^']+)'/.exec(output)?.[1];
}

export function dnfError(names: readonly string[], output: string, log: string): ChimeError {
  const wanted = names.join(", ");
  const reason = saidByDnf(output);
  switch (classifyDnf(output)) {
    case "no_space":
      return failed("packages.no_space", `no space left on the device while installing ${wanted}`, {
        remedy: "free some space (df -h / /var), then run this again",
      });
    case "unknown":
      return failed("packages.unknown", `no repository offers what ${wanted} needs: ${reason}`, {
        remedy: "check /etc/yum.repos.d, then run this again",
      });
    case "unreachable": {
      const place = unreachableRepository(output) ?? "configured here";
      return failed("packages.unreachable", `the package repository ${place} does not answer`, {
        remedy: "check the network and /etc/yum.repos.d, then run this again",
      });
    }
    case "untrusted":
      return failed("packages.untrusted", `${wanted} is not signed by the key that is trusted: ${reason}`, {
        remedy: "report this; nothing was installed",
      });
    case "conflict":
      return failed("packages.conflict", `${wanted} cannot be installed beside what is there: ${reason}`, {
        remedy: `try dnf install ${names.join(" ")} to see the conflict`,
      });
    default:
      return failed("packages.failed", `installing ${wanted} failed: ${reason}`, {
        remedy: `look at the end of ${log}, then run this again`,
      });
  }
}
