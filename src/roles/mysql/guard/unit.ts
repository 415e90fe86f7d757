import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../../core/clock.ts";
import { failed } from "../../../core/errors.ts";
import { exec } from "../../../core/exec.ts";
import { lockHolder } from "../../../host/packages/dpkg-lock.ts";
import { paths } from "../../../core/paths.ts";
import { showUnit } from "../../../host/systemd.ts";

/** Why the server does not answer, as far as systemd knows; `replaced`: its data are being exchanged. */
export type Down = "stopped" | "startable" | "starting" | "hung" | "replaced";

/** systemd forgets a disabled unit that has stopped cleanly; this file remembers until the next boot that it ran. */
const ranFile = `${paths.run}/mysql.ran`;

/** To be told of each run of the server, and again of the same one. */
export async function rememberRun(life: string): Promise<void> {
  await writeFile(ranFile, "");
  if ((await readFile(packagesFile, "utf8").catch(() => life)) !== life)
    await rm(packagesFile, { force: true });
}

/** The package manager stops a server to replace it, and starts none that systemd does not start at boot. */
const packagesFile = `${paths.run}/mysql.packages`;

/** To be told of a stop while the package manager works: the server is started again when that is done. */
export async function rememberPackageWork(life: string): Promise<void> {
  await writeFile(packagesFile, life);
}

async function isPackageWorkDone(): Promise<boolean> {
  return (await Bun.file(packagesFile).exists()) && (await lockHolder()) === undefined;
}

/** The next stop was ours, and nobody's wish. */
async function forgetRun(): Promise<void> {
  await rm(ranFile, { force: true });
}

/** While it is there, the guard keeps the server down until it knows how to start it: no drift, and not apply's to mend. */
const heldFile = `${paths.run}/mysql.held`;

export async function setHeld(held: boolean): Promise<void> {
  await (held ? writeFile(heldFile, "") : rm(heldFile, { force: true }));
}

export function isHeld(): Promise<boolean> {
  return Bun.file(heldFile).exists();
}

/**
 * Pure: `systemctl show` of the unit. A clean stop was somebody's wish (an operator, a package upgrade); what was
 * killed, failed, or never ran since the boot is ours to start.
 */
export function readUnit(text: string, hasRun: boolean): Down {
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1] ?? "";
  const active = value("ActiveState");
  // A job that was just queued leaves the state as it was for some milliseconds.
  if (value("Job") !== "" && value("Job") !== "0") return "starting";
  if (active === "failed") return "startable";
  if (active === "inactive") return hasRun ? "stopped" : "startable";
  return "starting";
}

export async function lookAtUnit(unit: string): Promise<Down> {
  const { stdout } = await exec(["systemctl", "show", "--property=ActiveState,Job", unit], {
    timeoutMs: 5_000,
  });
  const down = readUnit(stdout, await Bun.file(ranFile).exists());
  return down === "stopped" && (await isPackageWorkDone()) ? "startable" : down;
}

/**
 * Asks systemd to start the server and does not wait for it.
 * @param options of the server, for this start alone
 */
export async function startUnit(unit: string, optionsFile: string, options: string): Promise<void> {
  if (options !== "") {
    await mkdir(dirname(optionsFile), { recursive: true });
    await writeFile(optionsFile, `MYSQLD_OPTS=${options}\n`);
    await chmod(optionsFile, 0o644);
  } else await clearStartOptions(optionsFile);
  await exec(["systemctl", "reset-failed", unit], { ok: "any", timeoutMs: 5_000 });
  await exec(["systemctl", "start", "--no-block", unit], { timeoutMs: 5_000 });
}

const killedMs = 60_000;

/** Kills the server, whatever it is doing, and waits until it is gone: for data that are thrown away. */
export async function endUnit(unit: string, clock: Clock): Promise<void> {
  const end = clock.now() + killedMs;
  await forgetRun();
  for (;;) {
    const { active } = await showUnit(unit);
    if (active === "inactive" || active === "failed") return;
    if (clock.now() > end) throw failed("mysql.stuck", `${unit} cannot be killed`, `journalctl -u ${unit}`);
    await exec(["systemctl", "kill", "--signal=KILL", unit], { ok: "any", timeoutMs: 5_000 });
    await clock.sleep(50);
  }
}

/** So that a start by anybody else keeps everything. */
export async function clearStartOptions(optionsFile: string): Promise<void> {
  await rm(optionsFile, { force: true });
}

/** Names this run of the server process: process ids are reused, start times in clock ticks since boot are not. */
export async function serverLife(pidFile: string): Promise<string> {
  const pid = (await readFile(pidFile, "utf8")).trim();
  const [boot, stat] = await Promise.all([
    readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    readFile(`/proc/${Number(pid)}/stat`, "utf8"),
  ]);
  // proc_pid_stat(5): field 22, counted after the name in parentheses, which may hold anything.
  const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return `${boot.trim().slice(0, 8)}-${pid}-${started}`;
}

export function serverPid(life: string): number {
  return Number(life.split("-")[1]);
}
