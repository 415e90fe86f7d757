import { mkdir, readdir, rm } from "node:fs/promises";
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
import { Claim } from "./claim.ts";
import { lockHolder, waitForLock } from "./dpkg-lock.ts";
import { runLogged } from "./logged-run.ts";
import { installing } from "./start-policy.ts";
import { vendorEnv } from "./vendor-env.ts";
import type { AptSources } from "./apt-sources.ts";
import type { InstallRequest, PackageManager, PackageWork } from "./types.ts";

/** Nobody answers questions; kept configuration files stay; helpers that restart services by themselves are off. */
const env = {
  DEBIAN_FRONTEND: "noninteractive",
  DEBCONF_NONINTERACTIVE_SEEN: "true",
  UCF_FORCE_CONFFOLD: "1",
  NEEDRESTART_SUSPEND: "1",
  APT_LISTCHANGES_FRONTEND: "none",
  ...vendorEnv,
};

const installEnv = { ...env, ...installing };

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
  return {
    startsServices: true,
    purgeWaits: true,

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

    canGiveUp: isAtRest,

    async candidates(names) {
      const sources = await find();
      return sources ? candidatesOf(sources, names) : new Map();
    },

    hasBundled: () => Promise.resolve(false),

    async download(names, log, work) {
      const sources = await find();
      if (!sources || !(await isAtRest())) return;
      const fetch = (argv: readonly string[]) => run(["apt-get", ...argv], log, work, { onAbort: "kill" });
      const options = [...aptOptions, ...sources.options];
      work.progress("downloading packages");
      if (!(await haveLists(sources))) await fetch(["update", "-q", ...options]);
      await fetch([...installArguments, "--download-only", ...options, ...names]);
    },

    async install(request, work) {
      const sources = await find();
      if (!sources) throw noRepository();
      await waitForLock(work);
      if (await interrupted()) await repair(sources, request, work);
      let told = (await haveLists(sources)) ? "" : await update(sources, request, work);
      if (request.answers.length > 0) {
        await exec(["debconf-set-selections"], { stdin: `${request.answers.join("\n")}\n` });
      }
      let output = await install(sources, request, work);
      const outdated = output === undefined ? undefined : classify(output);
      if (outdated === "unknown" || outdated === "unreachable") {
        told = await update(sources, request, work);
        output = await install(sources, request, work);
      }
      if (output !== undefined) throw installError(request.names, output, request.log, told);
    },

    purge,
  };
}

async function interrupted(): Promise<boolean> {
  // dpkg journals what it has not yet merged into its status file here, as numbered files.
  const journal = await readdir("/var/lib/dpkg/updates");
  return journal.some((name) => /^\d+$/.test(name)) || unsettled(await queryAll()).length > 0;
}

async function isAtRest(): Promise<boolean> {
  return (await lockHolder()) === undefined && !(await interrupted());
}

async function purge(record: string, log: string, work: PackageWork): Promise<void> {
  // Somebody may still be unpacking some of them, and what an interrupted run of ours left to go on by itself brings more.
  await waitForLock(work);
  await remove(parseRecord((await readText(record)) ?? ""), log, work);
  // A run that was cut off has left to the next one what other packages do about those that came.
  if ((await queryAll()).some(({ status }) => status.startsWith("triggers-"))) {
    await run(["dpkg", "--triggers-only", "--pending"], log, work, { env });
  }
}

/** With their configuration, and whatever state they are in. @throws ChimeError `packages.failed` */
async function remove(names: readonly string[], log: string, work: PackageWork): Promise<void> {
  const there = (await query(names)).filter((p) => p.status !== "not-installed").map((p) => p.name);
  if (there.length === 0) return;
  work.progress(`removing ${there.length} packages`);
  const argv = ["dpkg", "--force-remove-reinstreq", "--abort-after=1000", "--purge", ...there];
  // Exit 1: some stay, because other packages need them by now. What they started is stopped, whatever the policy says to
  // installations.
  const { output } = await run(argv, log, work, { env });
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

async function candidatesOf(sources: AptSources, names: readonly string[]): Promise<Map<string, string>> {
  if (names.length === 0 || !(await haveLists(sources))) return new Map();
  const { stdout } = await exec(["apt-cache", "policy", ...sources.options, ...names], { env });
  return parsePolicy(stdout);
}

/** Fails only when nothing came: one dead repository among several is no reason not to try. Returns what apt said. */
async function update(sources: AptSources, request: InstallRequest, work: PackageWork): Promise<string> {
  work.progress("fetching package lists");
  const { output } = await run(
    ["apt-get", "update", "-q", ...aptOptions, ...sources.options],
    request.log,
    work,
    { giveUp: request.giveUp },
  );
  if (classify(output) === "no_space") throw installError(request.names, output, request.log);
  if (await haveLists(sources)) {
    const place = unreachablePlace(output);
    if (place) work.progress(`the package repository ${place} does not answer; trying without it`);
    return output;
  }
  throw installError(request.names, output || "Failed to fetch", request.log);
}

/** Returns the output when it failed. */
async function install(
  sources: AptSources,
  request: InstallRequest,
  work: PackageWork,
): Promise<string | undefined> {
  work.progress(`installing ${request.names.join(", ")}`);
  const { giveUp } = request;
  const claim = new Claim(request.record);
  if (giveUp) await claim.clear();
  // apt knows by its first word how it is spoken to (`DPkg::Tools::Options`).
  const record = `sed -n '/^$/,$p' >>${request.record} && sync ${request.record}`;
  const hook = giveUp ? `${record} && ${claim.command}` : record;
  const argv = [
    "apt-get",
    ...installArguments,
    "-o=Dpkg::Options::=--force-confdef",
    "-o=Dpkg::Options::=--force-confold",
    `-o=DPkg::Pre-Install-Pkgs::=${hook}`,
    "-o=DPkg::Tools::Options::sed::Version=3",
    ...aptOptions,
    ...sources.options,
    ...request.names,
  ];
  const { code, output } = await run(argv, request.log, work, { giveUp, claim });
  return code === 0 ? undefined : output;
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
  const complete = async () => {
    if (!(await interrupted())) return;
    const options = [...aptOptions, ...sources.options, "-o=Dpkg::Options::=--force-confold"];
    await run(["apt-get", ...installArguments, "--fix-broken", ...options], request.log, work);
  };
  await complete();
  if (await unpackTorn(sources, request, work)) await complete();
}

/**
 * apt itself only configures a torn package that was almost unpacked, which dpkg refuses (seen with apt 2.6 and dpkg 1.21).
 * @returns whether there was one
 */
async function unpackTorn(sources: AptSources, request: InstallRequest, work: PackageWork): Promise<boolean> {
  const torn = (await queryAll()).filter((one) => one.torn).map(({ qualified }) => qualified);
  const names = [...(await candidatesOf(sources, torn)).keys()];
  if (names.length === 0) return false;
  const cwd = `${request.log}.torn`;
  await rm(cwd, { recursive: true, force: true });
  await mkdir(cwd, { mode: 0o700 });
  try {
    const fetching = ["apt-get", "download", "-q", ...aptOptions, ...sources.options, ...names];
    const { code, output } = await run(fetching, request.log, work, { cwd });
    if (code !== 0) throw installError(names, output, request.log);
    const unpacking = ["dpkg", "--force-confdef", "--force-confold", "--unpack", ...(await readdir(cwd))];
    await run(unpacking, request.log, work, { cwd });
    return true;
  } finally {
    // What goes on by itself reads from it.
    if (!work.signal.aborted) await rm(cwd, { recursive: true, force: true });
  }
}

interface RunOptions {
  onAbort?: "kill" | "leave";
  /** Default: that of an installation. */
  env?: Record<string, string>;
  cwd?: string;
  /** Kills it: at any time, or as long as the claim can be taken. */
  giveUp?: AbortSignal | undefined;
  claim?: Claim;
}

/**
 * Runs a package tool when the lock is free. Left alone by an abort it goes on by itself; the next run finds the lock
 * held and waits for it.
 */
async function run(
  argv: readonly string[],
  log: string,
  work: PackageWork,
  { onAbort = "leave", env = installEnv, cwd, giveUp, claim }: RunOptions = {},
): Promise<{ code: number; output: string }> {
  giveUp?.throwIfAborted();
  const given = new AbortController();
  const end = () => {
    // Where that cannot be told it is finished.
    const mayEnd = claim?.take().catch(() => false) ?? Promise.resolve(true);
    void mayEnd.then((may) => may && given.abort(giveUp?.reason));
  };
  giveUp?.addEventListener("abort", end, { once: true });
  const { signal: kill } = given;
  const untilKilled = { ...work, signal: AbortSignal.any([work.signal, kill]) };
  try {
    for (let attempt = 1; ; attempt++) {
      await waitForLock(untilKilled);
      const step = parseProgress;
      const { code, output } = await runLogged({ argv, log, env, work, step, onAbort, kill, cwd });
      if (code !== 0 && classify(output) === "locked" && attempt < lockAttempts) continue;
      return { code, output };
    }
  } finally {
    giveUp?.removeEventListener("abort", end);
  }
}
