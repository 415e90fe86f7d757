import * as v from "valibot";
import type { Membership, RoleName } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { Guards } from "./guards.ts";
import { pairsOf, type Status } from "./status.ts";

interface Deps {
  membership: Pick<Membership, "self" | "members" | "call">;
  guards: Guards;
  status: () => Status;
}

const killMs = 10_000;

/** kill -9 of a role's service on `node`, as a rehearsal. @throws ChimeError `drill.not_level` (exit 3), nothing touched */
export async function killForDrill(deps: Deps, role: RoleName, node: string): Promise<void> {
  const { self } = deps.membership;
  if (node === self.name) await killHere(deps, role, self.name);
  else await deps.membership.call(node, "drill.kill", { role }, killMs);
}

/** Another member asks. @throws ChimeError `drill.stranger` where it does not have the role itself (a witness) */
export async function answerDrillKill(deps: Deps, params: unknown, from: string): Promise<void> {
  const { role } = v.parse(v.object({ role: v.pipe(v.string(), v.maxLength(32)) }), params);
  const asker = deps.membership.members().find((member) => member.name === from);
  if (!asker?.roles.includes(role)) throw refused("drill.stranger", `${from} has no part in ${role}`);
  await killHere(deps, role, from);
}

/** Only a writer whose commits are all on the other node, too: judged here, where it is known best. */
async function killHere({ membership, guards, status }: Deps, role: RoleName, asker: string): Promise<void> {
  const { name } = membership.self;
  const here = pairsOf(status())
    .get(role)
    ?.nodes.find((node) => node.name === name);
  if (here?.state !== "writer" || !here.protected) {
    throw refused(
      "drill.not_level",
      `${name} is not a writer whose commits are on both nodes, so its server is not killed`,
      "chime-node status",
    );
  }
  log.warn(`drill: ${asker} has the server of ${role} killed`);
  await guards.need(role).command("kill", {});
}
