import { open } from "node:fs/promises";
import { systemClock } from "../../core/clock.ts";
import { failed } from "../../core/errors.ts";
import { exec } from "../../core/exec.ts";
import { readText, writeAtomically } from "../files.ts";
import { dnfFetch } from "./dnf-fetch.ts";
import {
  classifyDnf,
  dnfError,
  parseDnfProgress,
  parseNeeded,
  parseRpm,
  parseTransaction,
  parseUnknown,
  rpmFormat,
} from "./dnf-output.ts";
import { dnfSource, repositoryId } from "./dnf-source.ts";
import { runLogged } from "./logged-run.ts";
import { isOlderRpm } from "./rpm-version.ts";
import { noRepository } from "./no-repository.ts";
import { vendorEnv as env } from "./vendor-env.ts";
import type { DnfRepositories } from "./dnf-repositories.ts";
import type { InstallRequest, PackageManager, PackageWork, Repository } from "./types.ts";

/** A repository that does not answer is told within seconds. */
const options = [
  "-y",
  "--setopt=install_weak_deps=False",
  "--setopt=timeout=10",
  "--setopt=minrate=1",
  "--setopt=retries=2",
];

/** Others may hold rpm's own lock, which dnf does not wait for. */
const lockAttempts = 20;
const lockPollMs = 3_000;

/** dnf 4 with rpm, of Enterprise Linux 8 to 10 and its relatives, with the repositories that `find` names at each call. */
export function dnfFrom(find: () => Promise<DnfRepositories | undefined>): PackageManager {
  return {
    startsServices: false,
    purgeWaits: false,

    repository: dnfSource,

    fetch: dnfFetch,

    installed: query,

    isOlder: isOlderRpm,

    // rpm enters a package when all its files are there: what a killed run left is simply installed again.
    interrupted: () => Promise.resolve(false),

    // Nothing tells that dnf has only downloaded so far.
    canGiveUp: () => Promise.resolve(false),

    async candidates(names) {
      const from = await find();
      if (!from) return new Map();
      const format = rpmFormat.replace("NAME", "name").replace("EVR", "evr").replace("\\n", "");
      const argv = [
        "dnf",
        "-q",
        ...from.look,
        ...from.options,
        "repoquery",
        "--latest-limit=1",
        `--qf=${format}`,
      ];
      const { code, stdout } = await exec([...argv, ...names], { ok: "any", env });
      return code === 0 ? parseRpm(stdout) : new Map();
    },

    hasBundled: () => Promise.resolve(false),

    async download(names, log, work) {
      const from = await find();
      if (!from) return;
      work.progress("downloading packages");
      const argv = [
        "dnf",
        ...options,
        ...from.options,
        "--setopt=exit_on_lock=True",
        "install",
        "--downloadonly",
      ];
      const step = parseDnfProgress;
      await runLogged({ argv: [...argv, ...names], log, env, work, step, onAbort: "kill" });
    },

    async install(request, work) {
      const { names, log } = request;
      const from = await find();
      if (!from) throw noRepository();
      const repositories = from.vendors ? request.repositories : [];
      const argv = ["dnf", ...options, ...from.options, ...choice(repositories), "install", ...names];
      work.progress(`resolving ${names.join(", ")}`);
      const preview = argv.map((word) => (word === "-y" ? "--assumeno" : word));
      const { stdout } = await exec(preview, { ok: "any", env, timeoutMs: 600_000, signal: work.signal });
      const brings = [...parseTransaction(stdout), ...(await missingKeys(repositories))];
      await note(request, brings);
      work.progress(`installing ${names.join(", ")}`);
      for (let attempt = 1; ; attempt++) {
        const run = { argv, log, env, work, step: parseDnfProgress, onAbort: "leave" } as const;
        const { code, output } = await runLogged(run);
        if (code === 0) return;
        if (classifyDnf(output) !== "locked" || attempt === lockAttempts) {
          await forget(request, brings);
          throw dnfError(names, output, log);
        }
        work.progress("waiting for rpm's lock");
        await systemClock.sleep(lockPollMs, work.signal);
      }
    },

    purge,
  };
}

async function brought(record: string): Promise<string[]> {
  return [...new Set(((await readText(record)) ?? "").split("\n").filter(Boolean))];
}

async function purge(record: string, log: string, work: PackageWork): Promise<void> {
  let going = await present(await brought(record));
  if (going.length === 0) return;
  work.progress(`removing ${going.length} packages`);
  for (;;) {
    const test = await exec(["rpm", "-e", "--test", ...going], { ok: "any" });
    const needed = parseNeeded(`${test.stdout}\n${test.stderr}`);
    if (needed.length === 0) break;
    // Others came to need them meanwhile: those stay, and what they need in turn.
    const stay = await providers(needed);
    const left = going.filter((name) => !stay.has(name));
    if (left.length === 0) return;
    if (left.length === going.length) throw refusedRemoval(going, log);
    going = left;
  }
  const argv = ["rpm", "-e", ...going];
  const { code } = await runLogged({ argv, log, env, work, step: () => undefined, onAbort: "leave" });
  if (code !== 0 && (await present(going)).length > 0) throw refusedRemoval(going, log);
}

function refusedRemoval(names: readonly string[], log: string) {
  return failed("packages.failed", `${names.join(", ")} could not be removed`, {
    remedy: `look at the end of ${log}, then run this again`,
  });
}

/** Ours, beside those that are switched on. */
function choice(repositories: readonly Repository[]): string[] {
  return [
    ...repositories.map((source) => `--enablerepo=${repositoryId(source)}`),
    ...repositories.flatMap(({ hides }) => hides.map((pattern) => `--exclude=${pattern}`)),
  ];
}

async function query(names: readonly string[]): Promise<Map<string, string>> {
  if (names.length === 0) return new Map();
  return parseRpm((await exec(["rpm", "-q", `--qf=${rpmFormat}`, ...names], { ok: "any" })).stdout);
}

/** Those that rpm knows, keys among them, which it knows as packages too. */
async function present(names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const { stdout } = await exec(["rpm", "-q", ...names], { ok: "any" });
  const unknown = new Set(parseUnknown(stdout));
  return names.filter((name) => !unknown.has(name));
}

async function providers(what: readonly string[]): Promise<Set<string>> {
  const { stdout } = await exec(["rpm", "-q", "--whatprovides", "--qf=%{NAME}\\n", ...what], { ok: "any" });
  return new Set(stdout.split("\n").filter(Boolean));
}

/** dnf brings a key into rpm's own store with the first package that it signed; by the end of its fingerprint. */
async function missingKeys(repositories: readonly Repository[]): Promise<string[]> {
  const names = repositories.map(({ key }) => `gpg-pubkey-${key.fingerprint.slice(-8).toLowerCase()}`);
  const there = new Set(await present(names));
  return names.filter((name) => !there.has(name));
}

/** Those that did not come after all are nobody's: an operator who installs one later must not lose it to a reset. */
async function forget({ record }: InstallRequest, names: readonly string[]): Promise<void> {
  const there = new Set(await present(names));
  const noted = await brought(record);
  const kept = noted.filter((name) => there.has(name) || !names.includes(name));
  await writeAtomically(record, kept.map((name) => `${name}\n`).join(""), { mode: 0o600, uid: 0, gid: 0 });
}

/** Durably, before the first of them is unpacked. */
async function note({ record }: InstallRequest, names: readonly string[]): Promise<void> {
  const handle = await open(record, "a", 0o600);
  try {
    await handle.writeFile(names.map((name) => `${name}\n`).join(""));
    await handle.sync();
  } finally {
    await handle.close();
  }
}
