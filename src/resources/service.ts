import * as v from "valibot";
import { systemClock } from "../core/clock.ts";
import { failed, toChimeError } from "../core/errors.ts";
import { daemonReload, setAtBoot, showUnit, systemctl, type UnitState } from "../host/systemd.ts";
import type { FileCheck, FileResource } from "./file.ts";
import { fingerprint } from "./fingerprint.ts";
import { changedAt, hashFiles, isAccepted, readStamp, revert, writeStamp, type Stamp } from "./stamp.ts";
import type { ApplyContext, Impact, InspectContext, Kind, Resource } from "./types.ts";

/** For a unit file (law 5). A drop-in alone cannot be verified. It reads all units of the machine: 40 ms of CPU a call. */
export const unitCheck: FileCheck = {
  argv: ["systemd-analyze", "--man=no", "verify", "{}"],
  replacing: true,
};

export interface ServiceOptions {
  /** With its suffix, e.g. `keepalived.service`. */
  unit: string;
  /** Whether systemd starts it at boot. Default true. */
  enabled?: boolean;
  /** The running process must have been started after these were last changed. They are needed first. */
  restartOn?: readonly FileResource[];
  /** The same, where a reload is enough. */
  reloadOn?: readonly FileResource[];
  /** Waited for before it is restarted: until then somebody relies on it. */
  beforeRestart?: (context: ApplyContext) => Promise<void>;
  /** What a restart of this unit means to the service's users. Default: an interruption. */
  restartImpact?: Impact;
  /** True while somebody else keeps it down on purpose: then it is not started. */
  isHeld?: () => Promise<boolean>;
  /**
   * The agent starts it when its time has come, and it may take days to be up. One that is still starting, with files that
   * were changed since, is stopped: the agent starts it again.
   */
  startedByAgent?: true;
  needs?: readonly string[];
}

/**
 * A running systemd service that has read its present files, also after a killed run: compared are the files with
 * what this very run of the service (InvocationID) accepted last, or, where nobody noted that, the age of the
 * process with the age of the files. When a restart or a reload fails, the files accepted last are put back, programs with
 * them, but for secret ones.
 */
export function service(options: ServiceOptions): Resource {
  const { unit, enabled = true, restartOn = [], reloadOn = [], needs = [] } = options;
  const id = `service:${unit}`;
  const watched = [...restartOn, ...reloadOn];
  const restartFiles = restartOn.flatMap((resource) => resource.files);
  const reloadFiles = reloadOn.flatMap((resource) => resource.files);
  const programs = new Map(
    watched.flatMap(({ files, program }) =>
      program === undefined ? [] : files.map((path) => [path, program] as const),
    ),
  );
  const secretFiles = watched.filter(({ secret }) => secret).flatMap((resource) => resource.files);

  /**
   * systemd loaded the unit from a package's file before ours was there to hide it, and does not notice: what it looks at
   * again for NeedDaemonReload is the file that it loaded.
   */
  function goesByAnother({ load, fragment }: UnitState): boolean {
    const own = restartFiles.find((path) => path === `/etc/systemd/system/${unit}`);
    return own !== undefined && load === "loaded" && fragment !== own;
  }

  async function look(context: InspectContext): Promise<Todo | undefined> {
    const shown = await showUnit(unit);
    const state = { ...shown, needDaemonReload: shown.needDaemonReload || goesByAnother(shown) };
    const todo: Todo = {
      state,
      stamp: await readStamp(context.ledger.backups, unit),
      lines: [],
      verb: undefined,
    };
    if (enabled && state.file !== "enabled" && !fixedFiles.has(state.file)) todo.lines.push("enable");
    if (!enabled && state.file === "enabled") todo.lines.push("disable");
    if (state.needDaemonReload) todo.lines.push("daemon-reload");
    if (state.active === "active" || state.active === "reloading") {
      todo.verb = await outdated(context, todo);
    } else if (options.startedByAgent) {
      const isStarting = state.active === "activating";
      if (isStarting && (await outdated(context, todo)) === "restart") todo.verb = "stop";
    } else if (!(await options.isHeld?.())) todo.verb = "start";
    if (!todo.verb && reloadOn.some((r) => context.pending(r.id))) todo.verb = "reload";
    if (todo.verb) todo.lines.push(todo.verb);
    return todo.lines.length > 0 ? todo : undefined;
  }

  /** One that this service has not accepted yet. */
  async function hasOtherProgram(): Promise<boolean> {
    return (await Promise.all([...programs.values()].map(isAccepted))).includes(false);
  }

  /** What has a process that runs, or is being started, take its present files. */
  async function outdated(context: InspectContext, { state, stamp }: Todo): Promise<Todo["verb"]> {
    if (goesByAnother(state) || restartOn.some((r) => context.pending(r.id))) return "restart";
    if (stamp && stamp.invocation === state.invocation) {
      if (stamp.restart !== (await hashFiles(restartFiles))) return "restart";
      if (stamp.reload !== (await hashFiles(reloadFiles))) return "reload";
      // Put back to what it was: in between, somebody may have had the service read something else.
      return (await changedAt(reloadFiles)) > stamp.acceptedAt ? "reload" : undefined;
    }
    if ((await changedAt(restartFiles)) > state.startedAt) return "restart";
    return (await changedAt(reloadFiles)) > state.startedAt ? "reload" : undefined;
  }

  async function perform(todo: Todo, context: ApplyContext): Promise<void> {
    const { ledger, signal } = context;
    const { state, verb, stamp } = todo;
    // A package of ours has brought it, enabled it, and perhaps started it: it is not to run without us.
    const isOurs = needs.some((need) => need.startsWith("package:") && ledger.noted(need) !== undefined);
    const was = { enabled: state.file === "enabled", active: state.active === "active" };
    await ledger.before(id, isOurs ? { enabled: false, active: false } : was);
    const boot = todo.lines.find((line) => line === "enable" || line === "disable");
    if (boot) await setAtBoot(boot, [unit], signal);
    if (verb === "restart") await options.beforeRestart?.(context);
    const mustReload = state.needDaemonReload || state.load === "not-found";
    if (mustReload) await daemonReload();
    // systemd hears at the end of the command that it is enabled: a reload would hold up what is to be started next.
    await (verb && act(verb));
    const isInDoubt = verb === "restart" && (await hasOtherProgram());
    const { active, invocation } = isInDoubt ? await proven(unit, signal) : await showUnit(unit);
    if (active !== "active" && active !== "reloading") {
      if (!verb || verb === "stop") return;
      await goBack(failed("service.failed", `${unit} is ${active} after ${verb}`), "restart", stamp, context);
    }
    await accept(invocation, context);

    async function act(verb: NonNullable<Todo["verb"]>): Promise<void> {
      context.progress(`${verb} ${unit}`);
      if (state.active === "failed") await systemctl("reset-failed", unit, signal);
      await systemctl(verb, unit, signal).catch((error: unknown) => goBack(error, verb, stamp, context));
    }
  }

  return {
    id,
    needs: [...watched.map((resource) => resource.id), ...needs],
    desired: fingerprint({ enabled, watched: watched.map((resource) => resource.desired) }),
    async inspect(context) {
      const todo = await look(context);
      if (!todo) return undefined;
      return {
        action: todo.state.load === "not-found" ? "create" : "update",
        impact: impactOf(todo.verb),
        diff: todo.lines.join(", "),
        apply: (context) => perform(todo, context),
      };
    },
  };

  function impactOf(verb: Todo["verb"]): Impact {
    if (verb === "restart" || verb === "stop") return options.restartImpact ?? "restart";
    return verb === "reload" ? "reload" : "none";
  }

  /** This run of the service goes by the files that are there. */
  function accept(invocation: string, { ledger }: ApplyContext): Promise<void> {
    const files = { restart: restartFiles, reload: reloadFiles, secret: secretFiles, programs };
    return writeStamp(ledger.backups, unit, { invocation, ...files });
  }

  /** The service refused its new files: give it the ones it had, then say so. */
  async function goBack(
    error: unknown,
    verb: NonNullable<Todo["verb"]>,
    stamp: Stamp | undefined,
    context: ApplyContext,
  ): Promise<never> {
    const { signal } = context;
    signal.throwIfAborted();
    const reverted = stamp ? await revert(stamp) : [];
    if (reverted.length === 0) throw error;
    await systemctl(verb === "start" ? "restart" : verb, unit, signal);
    // By its age alone it may have read what it refused: the files were put back just before.
    const { active, invocation } = await showUnit(unit);
    if (active === "active") await accept(invocation, context);
    const { message } = toChimeError(error);
    throw failed("service.refused", `${message}; ${reverted.join(", ")} put back as before`, {
      remedy: `look at journalctl -u ${unit} and report this`,
      cause: error,
    });
  }
}

interface Todo {
  state: UnitState;
  stamp: Stamp | undefined;
  lines: string[];
  verb: "start" | "stop" | "restart" | "reload" | undefined;
}

/** Unit file states that `systemctl enable` cannot or need not change (systemctl(1)). */
const fixedFiles = new Set(["static", "indirect", "generated", "transient", "alias", "enabled-runtime"]);

/** systemd calls a simple service active before its program has done anything: one that cannot serve ends within, ms. */
const provenMs = 2_000;

/** The unit's state once its program has run for so long, or has ended; systemd may have started it again. */
async function proven(unit: string, signal: AbortSignal): Promise<UnitState> {
  const giveUp = systemClock.now() + provenMs;
  const first = await showUnit(unit);
  for (let state = first; ; state = await showUnit(unit)) {
    if (state.invocation !== first.invocation) return { ...state, active: "failed" };
    if (state.active !== "active" || systemClock.now() > giveUp) return state;
    await systemClock.sleep(lookMs, signal);
  }
}

/** A start that takes longer is stopped all the same. */
const startMs = 30_000;
const lookMs = 100;

/** The unit's state once it is not just starting: MariaDB hangs for ever when it is told to stop in its first second. */
async function startedOrNot(unit: string): Promise<UnitState> {
  const giveUp = systemClock.now() + startMs;
  for (;;) {
    const state = await showUnit(unit);
    if (state.active !== "activating" || systemClock.now() > giveUp) return state;
    await systemClock.sleep(lookMs);
  }
}

const beforeSchema = v.object({ enabled: v.boolean(), active: v.boolean() });

export const serviceKind: Kind = {
  name: "service",
  async undo(id, before) {
    const unit = id.slice("service:".length);
    const { enabled } = v.parse(beforeSchema, before);
    const state = await startedOrNot(unit);
    if (state.load === "not-found") return;
    if (!enabled && state.file === "enabled") await systemctl("disable", unit);
    // A killed run may have enabled it without systemd having heard of that.
    else if (!enabled && state.file === "disabled") await setAtBoot("disable", [unit]);
    if (state.active !== "inactive" && state.active !== "failed") await systemctl("stop", unit);
  },
  async settle(id, before) {
    const unit = id.slice("service:".length);
    const { enabled, active } = v.parse(beforeSchema, before);
    await daemonReload();
    const state = await showUnit(unit);
    if (state.load === "not-found") return;
    if (enabled && state.file === "disabled") await systemctl("enable", unit);
    if (active && state.active !== "active") await systemctl("start", unit);
    else if (state.active === "failed") await systemctl("reset-failed", unit);
  },
};
