import { type ChimeError, failed } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";

/** Pure readers of what dpkg-query, apt-cache and apt-get print under LC_ALL=C.UTF-8. */

/** One line a package, for dpkg-query(1). `Config-Version`: the version that was configured last, if any ever was. */
export const statusFormat =
  "${Package}\\t${db:Status-Status}\\t${Version}\\t${Config-Version}\\t${db:Status-Eflag}\\t${binary:Package}\\n";

export interface PackageStatus {
  name: string;
  /** The same with `:ARCHITECTURE` where it needs that: of another architecture, or one that may be there for several. */
  qualified: string;
  /** `installed`, `config-files`, `not-installed`, or a state that a cut-off run left (dpkg(1)). */
  status: string;
  version: string;
  /** Of a package that is not wholly installed: the version of it that once was, or "". */
  configured: string;
  /** Cut off while it was unpacked: dpkg configures it only once it is unpacked again (`reinst-required`, dpkg(1)). */
  torn: boolean;
}

export function parseStatus(text: string): PackageStatus[] {
  return text.split("\n").flatMap((line) => {
    const [name, status, version = "", configured = "", flag = "", qualified = ""] = line.split("\t");
    const torn = flag === "reinstreq";
    return name && status ? [{ name, qualified, status, version, configured, torn }] : [];
  });
}

const settled = new Set(["installed", "config-files", "not-installed"]);

/** Never once wholly installed: nothing but its own maintainer scripts can have used what it made. */
export function neverConfigured(status: PackageStatus): boolean {
  return !settled.has(status.status) && status.configured === "";
}

export function unsettled(statuses: readonly PackageStatus[]): string[] {
  return statuses.filter(({ status }) => !settled.has(status)).map(({ name }) => name);
}

/** Candidate versions from `apt-cache policy`. */
export function parsePolicy(text: string): Map<string, string> {
  const out = new Map<string, string>();
  let name = "";
  for (const line of text.split("\n")) {
    const title = /^(\S+):$/.exec(line);
    const candidate = /^ {2}Candidate: (\S+)$/.exec(line);
    if (title?.[1]) name = title[1];
    else if (candidate?.[1] && candidate[1] !== "(none)") out.set(name, candidate[1]);
  }
  return out;
}

/**
 * Names that were not installed before, from what apt pipes to a `DPkg::Pre-Install-Pkgs` hook of protocol version 3
 * (apt.conf(5)): `name old-version old-arch old-multiarch < new-version arch multiarch file`.
 */
export function parseRecord(text: string): string[] {
  const names = text.split("\n").flatMap((line) => {
    const [name, old, ...rest] = line.split(" ");
    return name && old === "-" && rest.includes("<") ? [name] : [];
  });
  return [...new Set(names)];
}

/** A step worth telling, without apt's own decoration. */
export function parseProgress(line: string): string | undefined {
  // `Get:N PLACE SUITE ARCH NAME ARCH VERSION [SIZE]`; a flat repository (`./`) has no architectures.
  const download =
    /^Get:\d+ \S+ \S+ \S+ (\S+) \S+ (\S+) \[(.+)\]$/.exec(line) ??
    /^Get:\d+ \S+ \S+\/ ([^\s[]+) ([^\s[]+) \[(.+)\]$/.exec(line);
  if (download) return `downloading ${download[1]} ${download[2]} (${download[3]})`;
  if (/^Get:\d+ /.test(line)) return "fetching package lists";
  const step = /^(Unpacking|Setting up|Removing|Purging configuration files for) (\S+) \((\S+)\)/.exec(line);
  return step ? `${step[1]?.toLowerCase()} ${step[2]?.replace(/:[a-z0-9]+$/, "")}` : undefined;
}

/** Why apt-get or dpkg failed, as far as it decides what to do next. */
export type Failure = "locked" | "unknown" | "unreachable" | "no_space" | "interrupted" | "other";

export function classify(output: string): Failure {
  if (/Could not get lock|Unable to (acquire|lock)|lock was locked by another process/.test(output)) {
    return "locked";
  }
  if (/No space left on device|don't have enough free space/i.test(output)) return "no_space";
  if (/Unable to locate package|has no installation candidate/.test(output)) return "unknown";
  if (/Failed to fetch|Unable to fetch some archives/.test(output)) return "unreachable";
  if (/dpkg was interrupted|--fix-broken install/.test(output)) return "interrupted";
  return "other";
}

/** The first place that could not be fetched from: a host, or a path of a `file:` repository. */
export function unreachablePlace(output: string): string | undefined {
  const [, url] = /Failed to fetch (\S+)/.exec(output) ?? [];
  const [, host] = /^[a-z+]+:\/\/([^/]+)/.exec(url ?? "") ?? [];
  return host?.replace(/^.*@/, "") ?? url;
}

/** The first repository whose signature apt did not accept, and why: `EXPKEYSIG B7B3…`, `NO_PUBKEY 4D1B…`. */
export function untrustedPlace(output: string): { place: string; why: string } | undefined {
  const [, place = "", why = ""] =
    /^[WE]: (?:GPG error|OpenPGP signature.*?): (\S+) .*: (.+)$/m.exec(output) ?? [];
  if (place) return { place, why };
  const [, repository] = /^E: The repository '(\S+) [^']*' is not signed/m.exec(output) ?? [];
  return repository ? { place: repository, why: "it is not signed" } : undefined;
}

/** @param told what apt said as it fetched the lists, just before */
export function installError(names: readonly string[], output: string, log: string, told = ""): ChimeError {
  // dpkg gives the cause in the lines after it, which begin with a space.
  const reasons = [...output.matchAll(/^(?:E: |(?=dpkg: error))(.*(?:\n .*)*)/gm)].map(([, reason = ""]) =>
    reason.replaceAll(/\s+/g, " ").trim(),
  );
  const [reason = output.trim().split("\n").at(-1) ?? ""] = reasons;
  const wanted = names.join(", ");
  switch (classify(output)) {
    case "no_space":
      return failed("packages.no_space", `no space left on the device while installing ${wanted}`, {
        remedy: "free some space (df -h / /var), then run this again; it repairs what is half installed",
      });
    case "unknown": {
      const untrusted = untrustedPlace(told);
      if (untrusted) {
        return failed(
          "packages.untrusted",
          `the package repository ${untrusted.place} cannot be trusted: ${mask(untrusted.why)}`,
          {
            remedy:
              "correct the clock if it is wrong, then run chime-node apply, which fetches the key again",
          },
        );
      }
      return failed("packages.unknown", `no repository offers what ${wanted} needs: ${mask(reason)}`, {
        remedy: "check /etc/apt/sources.list*, then run this again",
      });
    }
    case "unreachable":
      return failed(
        "packages.unreachable",
        `the package repository ${unreachablePlace(output) ?? "configured here"} does not answer`,
        { remedy: "check the network and /etc/apt/sources.list*, then run this again" },
      );
    default:
      if (/unmet dependencies|held broken packages/.test(output)) {
        return failed(
          "packages.conflict",
          `${wanted} cannot be installed beside what is there: ${mask(reason)}`,
          {
            remedy: `try apt-get install ${names.join(" ")} to see the conflict`,
          },
        );
      }
      return failed("packages.failed", `installing ${wanted} failed: ${mask(reason)}`, {
        remedy: `look at the end of ${log}, then run this again`,
      });
  }
}
