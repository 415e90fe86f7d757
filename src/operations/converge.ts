import { desired, upTo } from "../agent/desired.ts";
import { callAgent } from "../agent/socket.ts";
import { agentResources } from "../agent/resources.ts";
import { withLock } from "../core/lock.ts";
import { failed, refused, usageError } from "../core/errors.ts";
import { systemClock } from "../core/clock.ts";
import { phases, type Phase, type RoleName } from "../cluster/types.ts";
import { parseSpec } from "../spec/load.ts";
import { paths } from "../core/paths.ts";
import { readFacts, type Facts } from "../host/facts.ts";
import { openLedger } from "../plan/ledger.ts";
import { plan, type Outcome, type PlannedChange } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import { roles } from "../roles/index.ts";
import type { RoleContext } from "../roles/types.ts";
import { vipsOf } from "../spec/vips.ts";
import { readContext } from "./context.ts";
import type { Io } from "./io.ts";
import { make, makeOrThrow } from "./make.ts";
import { requireFitVips } from "./preflight.ts";
import { findEdit, publishEdit, type Edit } from "./publish.ts";
import { requireRoleNames } from "./role-names.ts";
import { requireChangeable } from "./spec-change.ts";

/** How often it is looked whether the others are there. */
const togetherMs = 200;

/** What the agent answers about one role of this node. */
export interface RoleProgress {
  phase: Phase;
  /** True once the guard says that this node does its part. */
  ready: boolean;
  awaiting: string;
}

/** What `apply` would do on this node. */
interface NodePlan {
  /** Out of `total` resources. */
  changes: PlannedChange[];
  total: number;
  /** True where cluster.toml was edited here, and will be published. */
  edited: boolean;
}

/** Only looks. @throws ChimeError config errors, `spec.conflict`, `spec.fixed` */
export async function planNode(role?: RoleName): Promise<NodePlan> {
  return planOf(await readEdited(), role);
}

async function planOf({ context, edit }: Edited, role: RoleName | undefined): Promise<NodePlan> {
  const resources = nodeResources(desired(context, pick(context.self.roles, role)));
  const changes = await plan(resources, await openLedger());
  return { changes, total: resources.length, edited: edit !== undefined };
}

interface Edited {
  /** With the edited cluster.toml in place of the published one. */
  context: RoleContext;
  edit: Edit | undefined;
  newVips: boolean;
}

/** @throws ChimeError config errors, `spec.conflict`, `spec.fixed` */
async function readEdited(facts?: Facts): Promise<Edited> {
  const { context, view } = await readContext(facts);
  const edit = await findEdit(view.spec);
  if (!edit) return { context, edit, newVips: false };
  const spec = parseSpec(edit.toml, paths.clusterToml);
  requireChangeable(context, spec);
  const newVips = !Bun.deepEquals(vipsOf(spec), vipsOf(context.spec));
  return { context: { ...context, spec }, edit, newVips };
}

/**
 * Publishes an edited cluster.toml, then makes this node what the spec says.
 * @throws ChimeError as `planNode`; `preflight.failed` for a new VIP that cannot be one; `apply.declined`,
 * `apply.changed` (exit 3) when more came to be interrupted while it asked
 */
export async function applyNode(io: Io, role?: RoleName): Promise<{ outcome: Outcome; total: number }> {
  const wanted = await readEdited();
  if (wanted.newVips) await requireFitVips(wanted.context, io);
  // Asked before the lock is taken: until somebody answers, the agent can still follow the other members.
  const agreed = interruptions((await planOf(wanted, role)).changes);
  if (agreed.length > 0 && !(await io.confirm(`Apply with interruption: ${agreed.join(", ")}?`))) {
    throw usageError("apply.declined", "nothing was changed");
  }
  return withLock("apply", "apply", async () => {
    const facts = await readFacts();
    const { edit } = await readEdited(facts);
    if (edit)
      io.note(`${paths.clusterToml} is version ${await publishEdit(edit)} of the cluster's from now on`);
    const { context } = await readContext(facts);
    const names = pick(context.self.roles, role);
    const resources = nodeResources(desired(context, names));
    const changes = await plan(resources, await openLedger());
    const more = interruptions(changes).filter((what) => !agreed.includes(what));
    if (more.length > 0) {
      throw refused("apply.changed", `meanwhile more has to be interrupted: ${more.join(", ")}`, {
        remedy: "run chime-node apply again",
      });
    }
    const outcome = await make(resources, io);
    if (outcome.failed.length === 0) await markReady(names);
    return { outcome, total: resources.length };
  });
}

/** What clients would notice, or data would. */
function interruptions(changes: readonly PlannedChange[]): string[] {
  return changes
    .filter(({ impact }) => impact === "restart" || impact === "data")
    .map(({ resource, impact }) => `${resource} (${impact})`);
}

/**
 * Takes the node through the phases of its roles: install, configure, then what needs the role to be serving.
 * @param readyMs how long to wait for that; undefined: not at all, the agent takes the last step by itself
 * @throws ChimeError the first failure; `ready.timeout` when a role is not ready `readyMs` after its configuration
 */
export async function bringUp(
  names: readonly RoleName[],
  facts: Facts,
  readyMs: number | undefined,
  io: Io,
): Promise<void> {
  const complete = async (context: RoleContext, phase: "installed" | "configured") => {
    await makeOrThrow(nodeResources(desired(context, names), phase), io);
    for (const role of names) await setPhase(role, phase);
  };
  await complete((await readContext(facts)).context, "installed");
  // Read again: members that joined while packages were being installed belong into the configuration.
  const all = await untilAllThere(names, facts, readyMs, io);
  if (!all) return;
  await complete(all, "configured");
  if (readyMs === undefined) return;
  const deadline = systemClock.now() + readyMs;
  for (const role of names) await untilReady(role, deadline, readyMs, io);
  const { context } = await readContext(facts);
  await makeOrThrow(nodeResources(desired(context, names)), io);
  await markReady(names);
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

async function markReady(names: readonly RoleName[]): Promise<void> {
  for (const role of names) {
    const { ready } = await callAgent<RoleProgress>("role.progress", { role });
    if (ready) await setPhase(role, "ready");
  }
}

/** @throws ChimeError `ready.timeout` */
export async function untilReady(role: RoleName, deadline: number, readyMs: number, io: Io): Promise<void> {
  for (;;) {
    const { ready, awaiting } = await callAgent<RoleProgress>("role.progress", { role });
    if (ready) return;
    if (systemClock.now() > deadline) throw notReady(role, readyMs, awaiting);
    io.progress(`${role}: ${awaiting}`);
    await systemClock.sleep(50, io.signal);
  }
}

async function setPhase(role: RoleName, phase: Phase): Promise<void> {
  const { phase: current } = await callAgent<RoleProgress>("role.progress", { role });
  if (phases.indexOf(phase) > phases.indexOf(current)) await callAgent("role.phase", { role, phase });
}

function nodeResources(
  roles: ReturnType<typeof desired>,
  phase: Exclude<Phase, "joined"> = "ready",
): Resource[] {
  return [...agentResources(), ...upTo(roles, phase)];
}

function pick(names: readonly RoleName[], role: RoleName | undefined): readonly RoleName[] {
  if (role === undefined) return names;
  if (names.includes(role)) return [role];
  requireRoleNames([role]);
  throw usageError(
    "role.not_here",
    `this node does not have the role ${role}`,
    `chime-node join --role ${role}`,
  );
}
