import * as v from "valibot";
import type { Membership, RoleName } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { isPair } from "../roles/types.ts";
import type { Guards } from "./guards.ts";
import { faults, obstacle, type Fault } from "./obstacle.ts";
import type { Status } from "./status.ts";

interface Deps {
  membership: Pick<Membership, "self" | "members" | "call">;
  guards: Guards;
  status: () => Status;
}

/** A disk is pulled or full for 5 s; on a busy machine, which has to end that itself, for half a minute. */
const strikeMs = 40_000;

/** Breaks a role's service on `node`, as a rehearsal. @throws ChimeError `drill.not_level` (exit 3), nothing touched */
export async function strikeForDrill(deps: Deps, fault: Fault, role: RoleName, node: string): Promise<void> {
  const { self } = deps.membership;
  if (node === self.name) await strikeHere(deps, fault, role, self.name);
  else await deps.membership.call(node, "drill.strike", { fault, role }, strikeMs);
}

const asked = v.object({ role: v.pipe(v.string(), v.maxLength(32)), fault: v.picklist(faults) });

/** Another member asks. @throws ChimeError `drill.stranger` where it does not have the role itself (a witness) */
export async function answerDrillStrike(deps: Deps, params: unknown, from: string): Promise<void> {
  const { role, fault } = v.parse(asked, params);
  const asker = deps.membership.members().find((member) => member.name === from);
  if (!asker?.roles.includes(role)) throw refused("drill.stranger", `${from} has no part in ${role}`);
  await strikeHere(deps, fault, role, from);
}

/** Judged here once more, where it is known best. */
async function strikeHere(
  { membership, guards, status }: Deps,
  fault: Fault,
  role: RoleName,
  asker: string,
): Promise<void> {
  const { name } = membership.self;
  const why = whyNot(status(), fault, role, name);
  if (why !== undefined) {
    throw refused("drill.not_level", `${role} on ${name} is not broken: ${why}`, "chime-node status");
  }
  log.warn(`drill: ${asker} asks for ${fault} of ${role}`);
  await guards.need(role).command(fault, {});
}

function whyNot(status: Status, fault: Fault, role: RoleName, self: string): string | undefined {
  const found = status.roles[role];
  if (!found || !isPair(found)) return obstacle(status, role, fault);
  const here = found.nodes.find(({ name }) => name === self);
  return here?.state === "writer" && here.protected
    ? undefined
    : "it is not a writer whose commits are on both nodes";
}
