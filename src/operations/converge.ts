import { desired } from "../agent/desired.ts";
import { withLock } from "../core/lock.ts";
import { refused, usageError } from "../core/errors.ts";
import type { RoleName } from "../cluster/types.ts";
import { parseSpec } from "../spec/load.ts";
import { paths } from "../core/paths.ts";
import { readFacts, type Facts } from "../host/facts.ts";
import { openLedger } from "../plan/ledger.ts";
import { plan, type Outcome, type PlannedChange } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import { roles } from "../roles/index.ts";
import type { MayBeLost, RoleContext } from "../roles/types.ts";
import type { Spec } from "../spec/types.ts";
import { vipsOf } from "../spec/vips.ts";
import { markReady } from "./bring-up.ts";
import { readContext } from "./context.ts";
import type { Io } from "./io.ts";
import { make } from "./make.ts";
import { nodeResources } from "./node-resources.ts";
import { requireFitVips } from "./preflight.ts";
import { findEdit, publishEdit, type Edit } from "./publish.ts";
import { requireRoleNames } from "./role-names.ts";
import { requireChangeable } from "./spec-change.ts";
import { hasSpecCopy, keepSpecCopy } from "./spec-copy.ts";

/** What `apply` would do on this node. */
interface NodePlan {
  /** Out of `total` resources. */
  changes: PlannedChange[];
  total: number;
  /** What is to be said of cluster.toml here: it was edited, and will be published, or is missing. */
  toml: "edited" | "missing" | "same";
  /** By role: what the layout of those that have one stands. */
  mayBeLost: Record<RoleName, MayBeLost>;
}

/** Only looks. @throws ChimeError config errors, `spec.conflict`, `spec.fixed` */
export async function planNode(role?: RoleName): Promise<NodePlan> {
  const { context, edit } = await readEdited();
  const names = pick(context.self.roles, role);
  const { resources, changes } = await planOf(context, names);
  const mayBeLost = mayBeLostOf(names, context.spec);
  const unedited = (await hasSpecCopy()) ? "same" : "missing";
  return { changes, total: resources.length, toml: edit ? "edited" : unedited, mayBeLost };
}

/** What those roles are on this node, and what is to be done for it. */
async function planOf(
  context: RoleContext,
  names: readonly RoleName[],
): Promise<{ resources: Resource[]; changes: PlannedChange[] }> {
  const resources = nodeResources(desired(context, names));
  return { resources, changes: await plan(resources, await openLedger()) };
}

/** By role, of those that a layout is told of. Pure. */
export function mayBeLostOf(names: readonly RoleName[], spec: Spec): Record<RoleName, MayBeLost> {
  const told = roles.filter(({ name }) => names.includes(name));
  return Object.fromEntries(
    told.flatMap((role) => (role.mayBeLost ? [[role.name, role.mayBeLost(spec)] as const] : [])),
  );
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
  const asked = await planOf(wanted.context, pick(wanted.context.self.roles, role));
  const agreed = interruptions(asked.changes);
  if (agreed.length > 0 && !(await io.confirm(questionOf(asked.changes)))) {
    throw usageError("apply.declined", "nothing was changed");
  }
  return withLock("apply", "apply", async () => {
    const facts = await readFacts();
    const { edit } = await readEdited(facts);
    if (edit)
      io.note(`${paths.clusterToml} is version ${await publishEdit(edit)} of the cluster's from now on`);
    const { context, view } = await readContext(facts);
    if (await keepSpecCopy(view.spec, io))
      io.note(`${paths.clusterToml} was missing here: it is version ${view.spec.version} of the cluster's`);
    const names = pick(context.self.roles, role);
    const { resources, changes } = await planOf(context, names);
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
  return changes.filter(isInterruption).map(({ resource, impact }) => `${resource} (${impact})`);
}

const isInterruption = ({ impact }: Pick<PlannedChange, "impact">): boolean =>
  impact === "restart" || impact === "data";

/** What an operator is asked before it: of data what becomes of them, for nothing brings them back. Pure. */
export function questionOf(changes: readonly Pick<PlannedChange, "resource" | "impact" | "diff">[]): string {
  const told = changes.filter(isInterruption).map(({ resource, impact, diff }) => {
    const lines = diff.split("\n").filter((line) => line !== "");
    return `${resource} (${impact === "data" ? [impact, ...lines].join("; ") : impact})`;
  });
  const what = changes.some(({ impact }) => impact === "data")
    ? "interruption or loss of data"
    : "interruption";
  return `Apply with ${what}: ${told.join(", ")}?`;
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
