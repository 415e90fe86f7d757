import { readFile } from "node:fs/promises";
import { failed } from "../core/errors.ts";
import { exec, leave } from "../core/exec.ts";
import { mask } from "../core/mask.ts";
import { shareNext } from "../core/share-next.ts";

/** Pure: the unit of a path, as `systemd-escape --path --suffix=mount` names it. */
export function pathUnit(path: string, suffix: "mount" | "device"): string {
  const name = path.replace(/^\/+|\/+$/g, "").replaceAll(/\/+/g, "/");
  const escaped = name.replaceAll(/^\.|[^A-Za-z0-9:_./]/g, hex).replaceAll("/", "-");
  return `${escaped || "-"}.${suffix}`;
}

const hex = (char: string): string =>
  [...Buffer.from(char)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");

/** What `systemctl show` tells of a unit (org.freedesktop.systemd1(5)). */
export interface UnitState {
  /** `not-found`: no such unit file. */
  load: string;
  active: string;
  /** Something is about to be done to it: between the end and the start of a restart it is `inactive`. */
  isPending: boolean;
  /** `enabled`, `disabled`, `static`, …; empty without a unit file. */
  file: string;
  /** The unit file that systemd goes by; empty without one. */
  fragment: string;
  /** Changes with every start. */
  invocation: string;
  needDaemonReload: boolean;
  /** Its main process is there. */
  runs: boolean;
  /** How often systemd has started it again by itself, since it was told to start it. */
  restarts: number;
  /** When the main process was started, ms since the epoch: not later than that, and a second earlier at most; 0 = never. */
  startedAt: number;
}

const properties = {
  load: "LoadState",
  active: "ActiveState",
  job: "Job",
  file: "UnitFileState",
  fragment: "FragmentPath",
  invocation: "InvocationID",
  needDaemonReload: "NeedDaemonReload",
  runs: "MainPID",
  restarts: "NRestarts",
  startedAt: "ExecMainStartTimestamp",
  startedAfter: "ExecMainStartTimestampMonotonic",
} as const;

/** One moment by two clocks, ms: since the epoch, and since the machine was started. */
interface Moment {
  wall: number;
  uptime: number;
}

/** How much later than it was a moment may seem, ms: /proc/uptime has hundredths of a second. */
const uncertainMs = 20;

/** Pure: the answer of one unit, as `Key=value` lines with times in UTC. */
export function parseShow(text: string, now?: Moment): UnitState {
  const values = new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
  const get = (key: keyof typeof properties) => values.get(properties[key]) ?? "";
  // "Sat 2026-11-21 08:54:05 UTC"
  const [, date, time] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/.exec(get("startedAt")) ?? [];
  const second = Date.parse(`${date}T${time}Z`);
  return {
    load: get("load"),
    active: get("active"),
    // None is left out, or empty.
    isPending: Number(get("job")) > 0,
    file: get("file"),
    fragment: get("fragment"),
    invocation: get("invocation"),
    needDaemonReload: get("needDaemonReload") === "yes",
    runs: Number(get("runs")) > 0,
    restarts: Number(get("restarts")) || 0,
    startedAt: Number.isNaN(second) ? 0 : refined(second, Number(get("startedAfter")) / 1000, now),
  };
}

/**
 * systemd tells the second by the wall clock, and the microsecond by the machine's own. Where one was set or the other
 * stood still since then, they do not agree, and the second is all that is known.
 */
function refined(second: number, uptime: number, now: Moment | undefined): number {
  if (!now) return second;
  const exact = now.wall - (now.uptime - uptime) - uncertainMs;
  return exact >= second && exact < second + 1000 ? exact : second;
}

export async function showUnit(unit: string): Promise<UnitState> {
  const property = `--property=${Object.values(properties).join(",")}`;
  const { stdout } = await exec(["systemctl", "show", property, unit], { env: { TZ: "UTC" } });
  const wall = Date.now();
  const state = parseShow(stdout, {
    wall,
    uptime: Number.parseFloat(await readFile("/proc/uptime", "utf8")) * 1000,
  });
  return { ...state, file: untold.get(unit) ?? state.file };
}

/** Runs all of systemd's generators. @throws ChimeError `exec.failed` */
export const daemonReload = shareNext(async () => {
  const known = [...untold.keys()];
  await exec(reload);
  for (const unit of known) untold.delete(unit);
});

export type UnitVerb = "start" | "stop" | "restart" | "reload" | "enable" | "disable" | "reset-failed";

/** What `setAtBoot` did to units and systemd has not heard of, for `showUnit`. */
const untold = new Map<string, "enabled" | "disabled">();

/**
 * Whether these units start with the next boot. systemd hears of it by its next reload, for which it does nothing else: to
 * be followed by `daemonReload`, or by `tellUnits`. An init script of the same name, which a unit hides
 * (systemd-sysv-generator(8)), is left alone: it would cost three reloads more.
 * @throws ChimeError `service.failed`
 */
export async function setAtBoot(
  verb: "enable" | "disable",
  units: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  await run([verb, "--no-reload", ...units], signal, { SYSTEMCTL_SKIP_SYSV: "1" });
  for (const unit of units) untold.set(unit, `${verb}d`);
}

/**
 * Has systemd hear of what `setAtBoot` did, where nobody waits for anything any more: until then another command is told by
 * systemd that it was not done.
 */
export function tellUnits(): void {
  tell(reload);
}

/**
 * The same, in some seconds, by systemd itself: where the next command is typed at once, as `join` after `init`, a reload would
 * hold up what that has systemd do.
 */
export function tellUnitsSoon(): void {
  const timer = ["--on-active=10s", "--timer-property=AccuracySec=1s"];
  tell(["systemd-run", "--quiet", "--collect", ...timer, ...reload]);
}

const reload = ["systemctl", "daemon-reload"];

function tell(argv: readonly string[]): void {
  if (untold.size === 0) return;
  untold.clear();
  leave(argv);
}

/** It does not run, and nothing is under way that would have it run. */
export async function isStopped(unit: string): Promise<boolean> {
  return isAtRest(await showUnit(unit));
}

/** The same, of what was told. Pure. */
export function isAtRest({ active, isPending }: Pick<UnitState, "active" | "isPending">): boolean {
  return (active === "inactive" || active === "failed") && !isPending;
}

/** SIGKILL to all of its processes: at once, and without a last word to anybody. @throws ChimeError `exec.failed` */
export async function killUnit(unit: string): Promise<void> {
  await exec(["systemctl", "kill", "--signal=KILL", unit], { timeoutMs: 5_000 });
}

/** A database that recovers may take minutes to say that it is ready. */
const verbTimeoutMs = 600_000;

/**
 * Runs `systemctl VERB UNIT` and waits for its job.
 * @throws ChimeError `service.failed` with the last lines of the unit's own log
 */
export function systemctl(verb: UnitVerb, unit: string, signal?: AbortSignal): Promise<void> {
  return run([verb, unit], signal);
}

/**
 * Has a unit started and waits for nothing: one that says when it is ready may do so in days.
 * @throws ChimeError `service.failed` where systemd does not know it
 */
export function startSoon(unit: string): Promise<void> {
  return run(["start", "--no-block", unit], undefined);
}

/** The same for a new start. */
export function restartSoon(unit: string): Promise<void> {
  return run(["restart", "--no-block", unit], undefined);
}

/** The unit is the last word. */
async function run(
  words: readonly string[],
  signal: AbortSignal | undefined,
  env?: Record<string, string>,
): Promise<void> {
  const argv = ["systemctl", "--quiet", "--no-ask-password", ...words];
  const result = await exec(argv, { ok: "any", timeoutMs: verbTimeoutMs, signal, env });
  if (result.code === 0) return;
  const unit = words.at(-1) ?? "";
  const why = (await lastLog(unit)) || result.stderr.trim().split("\n")[0] || `exit ${result.code}`;
  throw failed("service.failed", mask(`systemctl ${words.join(" ")} failed: ${why}`), {
    remedy: `look at journalctl -u ${unit}, then run this again`,
  });
}

/** What the unit's own processes (not systemd about them) said in the run that failed. */
async function lastLog(unit: string): Promise<string> {
  const { invocation } = await showUnit(unit);
  const match = [`_SYSTEMD_UNIT=${unit}`, `_SYSTEMD_INVOCATION_ID=${invocation}`];
  const argv = ["journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=50", ...match];
  const { stdout } = await exec(argv, { ok: "any", timeoutMs: 5_000 });
  return telling(stdout);
}

/** Pure: the two lines of a service's log that tell most: its last errors, or else its last words. */
export function telling(text: string): string {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  const errors = lines.filter((line) => /error|fatal|fail|cannot|unable/i.test(line));
  return (errors.length > 0 ? errors : lines).slice(-2).join(" | ");
}
