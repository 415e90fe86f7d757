import { desired, upTo } from "../agent/desired.ts";
import { callAgent } from "../agent/socket.ts";
import { phases, type Member, type Phase, type RoleName } from "../cluster/types.ts";
import { systemClock } from "../core/clock.ts";
import { failed, toChimeError } from "../core/errors.ts";
import type { Facts } from "../host/facts.ts";
import { tellUnits } from "../host/systemd.ts";
import { roles } from "../roles/index.ts";
import type { Outcome } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import type { RoleContext, RolePlan } from "../roles/types.ts";
import { readContext } from "./context.ts";
import { EarlyGuards } from "./early-guards.ts";
import type { Io } from "./io.ts";
import { make } from "./make.ts";
import type { Begun } from "./packages-ahead.ts";

/** How often it is looked whether the others are there. */
const togetherMs = 200;
/** Within it a service that need not wait for anybody is ready. */
const tellEveryMs = 5_000;

/** What the agent answers about one role of this node. */
export interface RoleProgress {
  phase: Phase;
  /** True once the guard says that this node does its part. */
  ready: boolean;
  awaiting: string;
}

/**
 * Takes the node, whose agent runs, through the phases of its roles: install, configure, then what needs the role to be
 * serving. A role that fails stops no other one.
 * @param readyMs how long to wait for that; undefined: not at all, the agent takes the last step by itself
 * @param begun what was begun of it before
 * @throws ChimeError the first failure; `ready.timeout` when a role is not ready `readyMs` after its configuration
 */
export async function bringUp(
  names: readonly RoleName[],
  facts: Facts,
  readyMs: number | undefined,
  io: Io,
  begun?: Begun,
): Promise<void> {
  const stopped = new Map<RoleName, unknown>();
  // A phase looks at nothing that one before it has made: each program that is asked would hold up what is awaited.
  const made = begun?.made ?? new Map<string, string>();
  const going = (some: readonly RoleName[]) => some.filter((role) => !stopped.has(role));
  const complete = async (
    some: readonly RoleName[],
    context: RoleContext,
    phase: Exclude<Phase, "joined">,
  ) => {
    const plans = phase === "installed" ? some.map((name) => ({ name, plan: planOf(name, context) })) : [];
    const early = new EarlyGuards(plans, (role) => callAgent("role.serve", { role }));
    const done = (id: string) => early.done(id);
    const outcome = await make(upTo(desired(context, some), phase), io, { ...begun, done, made });
    await early.called();
    for (const role of some) {
      const error = failureOf(outcome, upTo(desired(context, [role]), phase));
      if (error) stopped.set(role, error);
      else if (phase !== "ready") await setPhase(role, phase);
    }
  };
  const serve = async (some: readonly RoleName[]) => {
    if (some.length === 0) return;
    // Read again: members that joined while packages were being installed belong into the configuration.
    const all = await untilAllThere(some, facts, readyMs, io);
    if (!all) return;
    await complete(some, all, "configured");
    if (readyMs === undefined) return;
    const deadline = systemClock.now() + readyMs;
    let madeFor = whoIsWhat(all.members);
    // The agent cannot follow while this run has the lock, and perhaps nobody is ready before this node knows them all.
    const follow = async () => {
      const { context } = await readContext(facts);
      const now = whoIsWhat(context.members);
      if (now === madeFor) return;
      madeFor = now;
      await complete(going(some), context, "configured");
    };
    await lastSteps({
      left: () => going(some),
      isReady: async (role) => (await callAgent<RoleProgress>("role.progress", { role })).ready,
      wait: (role, takeOthers) => {
        const meanwhile = async () => {
          await follow();
          await takeOthers();
        };
        return guarded(stopped, [role], io, () => untilReady(role, deadline, readyMs, io, meanwhile));
      },
      take: async (ready) => {
        await complete(ready, (await readContext(facts)).context, "ready");
        await markReady(going(ready));
      },
    });
  };
  const { context } = await readContext(facts);
  await complete(names, context, "installed");
  // Roles whose nodes start together may wait for hours: the others are served before.
  const waits = (name: RoleName) => roles.find((role) => role.name === name)?.awaits?.(context) !== undefined;
  // Others look at the units of what waits for minutes. At once, systemd's reload would hold up what is to be started now.
  const telling = setInterval(tellUnits, tellEveryMs);
  try {
    for (const some of [names.filter((name) => !waits(name)), names.filter(waits)]) {
      const left = going(some);
      await guarded(stopped, left, io, () => serve(left));
    }
  } finally {
    clearInterval(telling);
  }
  tell(names, stopped, io);
}

interface LastSteps {
  /** The roles that have not failed. */
  left: () => readonly RoleName[];
  isReady: (role: RoleName) => Promise<boolean>;
  /** Until it is ready, or fails; `takeOthers` is called some times a second. */
  wait: (role: RoleName, takeOthers: () => Promise<void>) => Promise<void>;
  take: (ready: readonly RoleName[]) => Promise<void>;
}

/** Each role takes its last step as soon as it is ready: one that is filled for hours, or fails, holds up no other. */
export async function lastSteps({ left, isReady, wait, take }: LastSteps): Promise<void> {
  const taken = new Set<RoleName>();
  const takeAll = async (ready: readonly RoleName[]) => {
    if (ready.length === 0) return;
    for (const role of ready) taken.add(role);
    await take(ready);
  };
  const rest = () => left().filter((role) => !taken.has(role));
  const takeReadyBut = async (awaited: RoleName) => {
    const ready: RoleName[] = [];
    for (const role of rest()) if (role !== awaited && (await isReady(role))) ready.push(role);
    await takeAll(ready);
  };
  for (const role of left()) if (!taken.has(role)) await wait(role, () => takeReadyBut(role));
  await takeAll(rest());
}

function planOf(name: RoleName, context: RoleContext): RolePlan {
  const role = roles.find((candidate) => candidate.name === name);
  return role?.plan(context) ?? { installed: [], configured: [], ready: [] };
}

/** What goes wrong stops these roles alone, but for an interruption. */
async function guarded(
  stopped: Map<RoleName, unknown>,
  names: readonly RoleName[],
  io: Io,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (io.signal.aborted) throw error;
    for (const role of names) if (!stopped.has(role)) stopped.set(role, error);
  }
}

/** Why one of these resources is not as desired. Pure. */
export function failureOf(
  { failed: failures, blocked }: Pick<Outcome, "failed" | "blocked">,
  resources: readonly Pick<Resource, "id">[],
): unknown {
  const ids = new Set(resources.map(({ id }) => id));
  const own = failures.find(({ resource }) => ids.has(resource));
  if (own) return own.error;
  return blocked.some((id) => ids.has(id)) ? failures[0]?.error : undefined;
}

/** @throws the first role's failure; the others' are warnings */
function tell(names: readonly RoleName[], stopped: ReadonlyMap<RoleName, unknown>, io: Io): void {
  const [first, ...rest] = new Set(stopped.values());
  if (first === undefined) return;
  const others = names.filter((role) => !stopped.has(role));
  if (others.length > 0)
    io.warn(`${[...stopped.keys()].join(" and ")} failed here; ${others.join(" and ")} did not`);
  for (const error of rest) io.warn(toChimeError(error).message);
  throw first;
}

/**
 * The nodes of some roles can only be configured together.
 * @returns what is to be made then; undefined where others are missing and nobody is to wait for them
 * @throws ChimeError `ready.timeout`
 */
async function untilAllThere(
  names: readonly RoleName[],
  facts: Facts,
  limitMs: number | undefined,
  io: Io,
): Promise<RoleContext | undefined> {
  const mine = roles.filter(({ name }) => names.includes(name));
  const giveUp = systemClock.now() + (limitMs ?? 0);
  for (;;) {
    const { context } = await readContext(facts);
    const [first] = mine.flatMap((role) => {
      const line = role.awaits?.(context);
      return line === undefined ? [] : [{ role: role.name, line }];
    });
    if (!first) return context;
    if (limitMs === undefined) {
      io.note(`${first.role}: ${first.line}; then the same command here again`);
      return undefined;
    }
    if (systemClock.now() > giveUp) throw notReady(first.role, limitMs, first.line);
    io.progress(`${first.role}: ${first.line}`);
    await systemClock.sleep(togetherMs, io.signal);
  }
}

function notReady(role: RoleName, limitMs: number, line: string): Error {
  return failed("ready.timeout", `${role} is not ready after ${limitMs / 1000} s: ${line}`, {
    remedy: "chime-node status shows what is missing; the same command again goes on waiting",
  });
}

export async function markReady(names: readonly RoleName[]): Promise<void> {
  for (const role of names) {
    const { ready } = await callAgent<RoleProgress>("role.progress", { role });
    if (ready) await setPhase(role, "ready");
  }
}

/** Who has which role where: what a node's configuration is made by. Pure. */
export function whoIsWhat(members: readonly Pick<Member, "name" | "address" | "roles">[]): string {
  const told = members.map(({ name, address, roles }) => [name, address, roles.toSorted()] as const);
  return JSON.stringify(told.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * @param meanwhile is called some times a second
 * @throws ChimeError `ready.timeout`
 */
export async function untilReady(
  role: RoleName,
  deadline: number,
  readyMs: number,
  io: Io,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  for (let looked = systemClock.now(); ;) {
    const { ready, awaiting } = await callAgent<RoleProgress>("role.progress", { role });
    if (ready) return;
    if (systemClock.now() > deadline) throw notReady(role, readyMs, awaiting);
    io.progress(`${role}: ${awaiting}`);
    await systemClock.sleep(50, io.signal);
    if (systemClock.now() - looked < togetherMs) continue;
    await meanwhile();
    looked = systemClock.now();
  }
}

async function setPhase(role: RoleName, phase: Phase): Promise<void> {
  const { phase: current } = await callAgent<RoleProgress>("role.progress", { role });
  if (phases.indexOf(phase) > phases.indexOf(current)) await callAgent("role.phase", { role, phase });
}
