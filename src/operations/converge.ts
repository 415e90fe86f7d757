import { desired, upTo } from "../agent/desired.ts";
import { callAgent } from "../agent/socket.ts";
import { agentResources } from "../agent/resources.ts";
import { withLock } from "../core/lock.ts";
import { failed, usageError } from "../core/errors.ts";
import { systemClock } from "../core/clock.ts";
import { phases, type Phase, type RoleName } from "../cluster/types.ts";
import { openLedger } from "../plan/ledger.ts";
import { apply, plan, type Outcome, type PlannedChange } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import { readContext } from "./context.ts";
import type { Io } from "./io.ts";
import { publishEdits } from "./publish.ts";

/** What the agent answers about one role of this node. */
export interface RoleProgress {
  phase: Phase;
  /** True once the guard says that this node does its part. */
  ready: boolean;
  awaiting: string;
}

/** What `apply` would change on this node, out of `total` resources. Only looks. */
export async function planNode(role?: RoleName): Promise<{ changes: PlannedChange[]; total: number }> {
  const { context } = await readContext();
  const resources = nodeResources(desired(context, pick(context.self.roles, role)));
  return { changes: await plan(resources, await openLedger()), total: resources.length };
}

/** Publishes an edited cluster.toml, then makes this node what the spec says. */
export async function applyNode(io: Io, role?: RoleName): Promise<{ outcome: Outcome; total: number }> {
  return withLock("apply", "apply", async () => {
    await publishEdits();
    const { context } = await readContext();
    const names = pick(context.self.roles, role);
    const resources = nodeResources(desired(context, names));
    const changes = await plan(resources, await openLedger());
    const rough = changes.filter((change) => change.impact === "restart" || change.impact === "data");
    if (rough.length > 0) {
      const what = rough.map((change) => `${change.resource} (${change.impact})`).join(", ");
      if (!(await io.confirm(`Apply with interruption: ${what}?`))) {
        throw usageError("apply.declined", "nothing was changed");
      }
    }
    const outcome = await converge(resources, io);
    if (outcome.failed.length === 0) await markReady(names);
    return { outcome, total: resources.length };
  });
}

/**
 * Takes the node through the phases of its roles: install, configure, then what needs the role to be serving.
 * @param readyMs how long to wait for that; undefined: not at all, the agent takes the last step by itself
 * @throws ChimeError the first failure; `ready.timeout` when a role is not ready `readyMs` after its configuration
 */
export async function bringUp(
  names: readonly RoleName[],
  readyMs: number | undefined,
  io: Io,
): Promise<void> {
  for (const phase of ["installed", "configured"] as const) {
    // Read again: members that joined while packages were being installed belong into the configuration.
    const { context } = await readContext();
    await convergeOrThrow(nodeResources(desired(context, names), phase), io);
    for (const role of names) await setPhase(role, phase);
  }
  if (readyMs === undefined) return;
  const deadline = systemClock.now() + readyMs;
  for (const role of names) await untilReady(role, deadline, readyMs, io);
  const { context } = await readContext();
  await convergeOrThrow(nodeResources(desired(context, names)), io);
  await markReady(names);
}

async function markReady(names: readonly RoleName[]): Promise<void> {
  for (const role of names) {
    const { ready } = await callAgent<RoleProgress>("role.progress", { role });
    if (ready) await setPhase(role, "ready");
  }
}

async function untilReady(role: RoleName, deadline: number, readyMs: number, io: Io): Promise<void> {
  for (;;) {
    const { ready, awaiting } = await callAgent<RoleProgress>("role.progress", { role });
    if (ready) return;
    if (systemClock.now() > deadline) {
      throw failed("ready.timeout", `${role} is not ready after ${readyMs / 1000} s: ${awaiting}`, {
        remedy: "chime-node status shows what is missing; the same command again goes on waiting",
      });
    }
    io.progress(`${role}: ${awaiting}`);
    await systemClock.sleep(50, io.signal);
  }
}

async function converge(resources: Resource[], io: Io): Promise<Outcome> {
  return apply(resources, await openLedger(), { signal: io.signal, progress: io.progress });
}

async function convergeOrThrow(resources: Resource[], io: Io): Promise<void> {
  const [first] = (await converge(resources, io)).failed;
  if (first) throw first.error;
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
  throw usageError(
    "role.not_here",
    `this node does not have the role ${role}`,
    `chime-node join --role ${role}`,
  );
}
