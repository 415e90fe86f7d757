import * as v from "valibot";
import { failed, toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { restartSoon } from "../../../host/systemd.ts";
import { notedHash } from "../../../resources/program.ts";
import type { GuardDeps } from "../../guard.ts";
import { layout, nodes, roleName } from "../layout.ts";
import { dropRestart, lacking, orderedRestart, runsOld } from "../restart.ts";

const params = v.object({ binary: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) });

/** Telling takes a moment; the restarts themselves are waited for by nobody. */
const tellMs = 5_000;

/** The method by which one node's guard has the others' servers restarted: `guard.minio.restart`. */
export const restartMethod = "restart";

/** An `apply` here ordered that all servers run the new program: done once every node has it. */
export async function restartIfAllHaveIt(deps: Pick<GuardDeps, "context" | "membership">): Promise<void> {
  const ordered = orderedRestart();
  if (ordered === null) return;
  const context = deps.context();
  const own = await notedHash(layout(context).binary);
  if (own !== ordered || !(await runsOld(context))) return dropRestart();
  if (lacking(context, ordered).length > 0) return;
  log.info("minio: all nodes have the new program: their servers are restarted together");
  const others = nodes(context.members).filter(({ name }) => name !== context.self.name);
  const told = await Promise.allSettled(
    others.map(({ name }) =>
      deps.membership.call(name, `guard.${roleName}.${restartMethod}`, { binary: ordered }, tellMs),
    ),
  );
  for (const [i, result] of told.entries()) {
    if (result.status === "rejected")
      log.warn(`minio: ${others[i]?.name}: ${toChimeError(result.reason).message}`);
  }
  await restartOwn(deps);
}

/** Another node's guard says that all have the program. @throws ChimeError `minio.other_program` */
export async function answerRestart(deps: Pick<GuardDeps, "context">, asked: unknown): Promise<null> {
  const { binary } = v.parse(params, asked);
  const here = await notedHash(layout(deps.context()).binary);
  if (here !== binary) {
    throw failed(
      "minio.other_program",
      "this node has another program",
      "chime-node apply, after it was copied",
    );
  }
  await restartOwn(deps);
  return null;
}

async function restartOwn({ context }: Pick<GuardDeps, "context">): Promise<void> {
  await dropRestart();
  if (await runsOld(context())) await restartSoon(layout(context()).product.unit);
}
