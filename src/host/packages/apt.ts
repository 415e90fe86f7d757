import { appendFile, readdir, rm } from "node:fs/promises";
import { failed } from "../../core/errors.ts";
import { exec } from "../../core/exec.ts";
import { isMissing, readText } from "../files.ts";
import {
  classify,
  installError,
  neverConfigured,
  parsePolicy,
  parseProgress,
  parseRecord,
  parseStatus,
  statusFormat,
  unreachablePlace,
  unsettled,
  type PackageStatus,
} from "./apt-output.ts";
import { acquireOptions, aptFetch } from "./apt-fetch.ts";
import { aptSource } from "./apt-source.ts";
import { noRepository } from "./no-repository.ts";
import { lockHolder, waitForLock } from "./dpkg-lock.ts";
import { gate, HeldInstall, type Hold } from "./held-install.ts";
import { runLogged, type Ran } from "./logged-run.ts";
import { vendorEnv } from "./vendor-env.ts";
import type { AptSources } from "./apt-sources.ts";
import type { InstallRequest, PackageManager, PackageSet, PackageWork } from "./types.ts";

/** Nobody answers questions; kept configuration files stay; helpers that restart services by themselves are off. */
const env = {
  DEBIAN_FRONTEND: "noninteractive",
  DEBCONF_NONINTERACTIVE_SEEN: "true",
  UCF_FORCE_CONFFOLD: "1",
  NEEDRESTART_SUSPEND: "1",
  APT_LISTCHANGES_FRONTEND: "none",
  ...vendorEnv,
};

const aptOptions = [
  "-o=Dpkg::Use-Pty=0",
  // We wait ourselves, and say for whom.
  "-o=DPkg::Lock::Timeout=0",
  "-o=Acquire::Languages=none",
  ...acquireOptions,
];

const installArguments = ["install", "-y", "-q", "--no-install-recommends"];

/** Others may take the lock between our look and the run. */
const lockAttempts = 20;

/** apt with the sources that `find` names at each call; without any it has no package. */
export function aptFrom(find: () => Promise<AptSources | undefined>): PackageManager {
  let held: HeldInstall | undefined;
  return {
    startsServices: true,

    repository: aptSource,

    fetch: aptFetch,

    async installed(names) {
      const all = await query(names);
      return new Map(all.filter((p) => p.status === "installed").map((p) => [p.name, p.version]));
    },

    async isOlder(one, other) {
      const { code } = await exec(["dpkg", "--compare-versions", one, "lt", other], { ok: [0, 1] });
      return code === 0;
    },

    interrupted,

    async candidates(names) {
      const sources = await find();
      if (!sources || !(await haveLists(sources))) return new Map();
      const { stdout } = await exec(["apt-cache", "policy", ...sources.options, ...names], { env });
      return parsePolicy(stdout);
    },

    hasBundled: () => Promise.resolve(false),

    async prepare(wanted, log, work) {
      if (held?.isFor(wanted)) return;
      await held?.end();
      const sources = await find();
      if (!sources || (await lockHolder()) !== undefined || (await interrupted())) return;
      work.progress("downloading packages");
      if (!(await haveLists(sources))) {
        const argv = ["apt-get", "update", "-q", ...aptOptions, ...sources.options];
        await run(argv, log, work, { onAbort: () => "kill" });
      }
      const argv = installing(sources, wanted, gate);
      held = await HeldInstall.begin(wanted, (hold) => run(argv, log, work, hold));
    },

    async install(request, work) {
      const sources = await find();
      if (!sources) throw noRepository();
      const begun = held;
      held = undefined;
      let told = "";
      let output: string | undefined;
      if (begun?.isFor(request)) {
        await answer(request);
        output = await goOn(begun, request, work);
      } else {
        await begun?.end();
        await waitForLock(work);
        if (await interrupted()) await repair(sources, request, work);
        if (!(await haveLists(sources))) told = await update(sources, request, work);
        await answer(request);
        output = await install(sources, request, work);
      }
      const outdated = output === undefined ? undefined : classify(output);
      if (outdated === "unknown" || outdated === "unreachable") {
        told = await update(sources, request, work);
        output = await install(sources, request, work);
      }
      if (output !== undefined) throw installError(request.names, output, request.log, told);
    },

    brought: async (record) => parseRecord((await readText(record)) ?? ""),

    purge,
  };
}

async function interrupted(): Promise<boolean> {
  // dpkg journals what it has not yet merged into its status file here, as numbered files.
  const journal = await readdir("/var/lib/dpkg/updates");
  return journal.some((name) => /^\d+$/.test(name)) || unsettled(await queryAll()).length > 0;
}

async function purge(names: readonly string[], log: string, work: PackageWork): Promise<void> {
  const there = (await query(names)).filter((p) => p.status !== "not-installed").map((p) => p.name);
  if (there.length === 0) return;
  work.progress(`removing ${there.length} packages`);
  const argv = ["dpkg", "--force-remove-reinstreq", "--abort-after=1000", "--purge", ...there];
  // Exit 1: some stay, because other packages need them by now.
  const { output } = await run(argv, log, work);
  const left = (await query(there)).filter((p) => p.status !== "not-installed").map((p) => p.name);
  const needed = left.every((name) => output.includes(`error processing package ${name}`));
  const dependency = /dependency problems/.test(output);
  if (left.length > 0 && !(needed && dependency)) {
    throw failed("packages.failed", `${left.join(", ")} could not be removed`, {
      remedy: `look at the end of ${log}, then run this again`,
    });
  }
}

/** All packages that dpkg knows. */
async function queryAll(): Promise<PackageStatus[]> {
  return parseStatus((await exec(["dpkg-query", "--show", `--showformat=${statusFormat}`])).stdout);
}

/** Those of `names` that dpkg knows. No names are no packages: dpkg-query itself would then list them all. */
async function query(names: readonly string[]): Promise<PackageStatus[]> {
  if (names.length === 0) return [];
  const argv = ["dpkg-query", "--show", `--showformat=${statusFormat}`, "--", ...names];
  // Exit 1: it knows not all of them.
  return parseStatus((await exec(argv, { ok: [0, 1] })).stdout);
}

async function haveLists({ lists }: AptSources): Promise<boolean> {
  const names = await readdir(lists).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return names.some((name) => /_Packages(\.\w+)?$/.test(name));
}

/** Fails only when nothing came: one dead repository among several is no reason not to try. Returns what apt said. */
async function update(sources: AptSources, request: InstallRequest, work: PackageWork): Promise<string> {
  work.progress("fetching package lists");
  const { output } = await run(
    ["apt-get", "update", "-q", ...aptOptions, ...sources.options],
    request.log,
    work,
  );
  if (classify(output) === "no_space") throw installError(request.names, output, request.log);
  if (await haveLists(sources)) {
    const place = unreachablePlace(output);
    if (place) work.progress(`the package repository ${place} does not answer; trying without it`);
    return output;
  }
  throw installError(request.names, output || "Failed to fetch", request.log);
}

async function answer({ answers }: InstallRequest): Promise<void> {
  if (answers.length > 0) await exec(["debconf-set-selections"], { stdin: `${answers.join("\n")}\n` });
}

/** What `begun` holds is installed. Returns the output when it failed. */
async function goOn(
  begun: HeldInstall,
  request: InstallRequest,
  work: PackageWork,
): Promise<string | undefined> {
  work.progress(`installing ${request.names.join(", ")}`);
  const { code, output } = await begun.go();
  await appendFile(request.log, output);
  return code === 0 ? undefined : output;
}

/** Returns the output when it failed. */
async function install(
  sources: AptSources,
  request: InstallRequest,
  work: PackageWork,
): Promise<string | undefined> {
  work.progress(`installing ${request.names.join(", ")}`);
  const { code, output } = await run(installing(sources, request), request.log, work);
  return code === 0 ? undefined : output;
}

/** `first`: what has to succeed before the names are recorded. */
function installing({ options }: AptSources, { names, record }: PackageSet, first?: string): string[] {
  return [
    "apt-get",
    ...installArguments,
    "-o=Dpkg::Options::=--force-confdef",
    "-o=Dpkg::Options::=--force-confold",
    ...recording(record, first),
    ...aptOptions,
    ...options,
    ...names,
  ];
}

/** A hook that takes what it is told on descriptor 3 (apt.conf(5), which knows a hook's options by its first word). */
function recording(record: string, first?: string): string[] {
  const steps = [`sed -n '/^$/,$p' <&3 >>${record}`, `sync ${record}`];
  const command = (first === undefined ? steps : [first, ...steps]).join(" && ");
  const about = `-o=DPkg::Tools::Options::${command.split(" ")[0]}`;
  return [`-o=DPkg::Pre-Install-Pkgs::=${command}`, `${about}::Version=3`, `${about}::InfoFD=3`];
}

/** dpkg(1): finish what was unpacked; then let apt fetch again what was cut off while unpacking. */
async function repair(sources: AptSources, request: InstallRequest, work: PackageWork): Promise<void> {
  work.progress("finishing an interrupted package installation");
  for (const { name, directory } of request.fresh) {
    const [status] = await query([name]);
    if (status && neverConfigured(status)) await rm(directory, { recursive: true, force: true });
  }
  const keep = ["--force-confdef", "--force-confold"];
  await run(["dpkg", ...keep, "--configure", "-a"], request.log, work);
  if (!(await interrupted())) return;
  const argv = ["apt-get", ...installArguments, "--fix-broken"];
  await run(
    [...argv, ...aptOptions, ...sources.options, "-o=Dpkg::Options::=--force-confold"],
    request.log,
    work,
  );
}

/**
 * Runs a package tool when the lock is free. Left alone by an abort it goes on by itself; the next run finds the lock
 * held and waits for it.
 */
async function run(
  argv: readonly string[],
  log: string,
  work: PackageWork,
  hold: Partial<Hold> = {},
): Promise<Ran> {
  const { onAbort = () => "leave", stdin, env: more } = hold;
  for (let attempt = 1; ; attempt++) {
    await waitForLock(work);
    const ran = await runLogged({
      argv,
      log,
      env: { ...env, ...more },
      work,
      step: parseProgress,
      onAbort,
      stdin,
    });
    if (ran.code !== 0 && classify(ran.output) === "locked" && attempt < lockAttempts) continue;
    return ran;
  }
}
