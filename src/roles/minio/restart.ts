import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { systemClock } from "../../core/clock.ts";
import { failed } from "../../core/errors.ts";
import { paths } from "../../core/paths.ts";
import { makeParents, writeAtomically } from "../../host/files.ts";
import { showUnit, type UnitState } from "../../host/systemd.ts";
import { fingerprint } from "../../resources/fingerprint.ts";
import { notedHash } from "../../resources/program.ts";
import { changedAt } from "../../resources/stamp.ts";
import type { Resource } from "../../resources/types.ts";
import type { RoleContext } from "../types.ts";
import { layout, nodes } from "./layout.ts";
import { publishedBy } from "./published.ts";

/** The servers of three nodes are there again after some seconds; a busy machine takes its time. */
const restartMs = 120_000;
const lookMs = 300;

/**
 * A server runs the program that is there. One with another program is waited for, not served with: the first of three to
 * get a new one would stand still until a second has it, and then the two without the third. So the engine wants all
 * servers restarted at once. This orders it; the guards do it when every node has the same program.
 * @param program the id of the resource that puts it there
 */
export function restartTogether(context: RoleContext, program: string, needs: readonly string[]): Resource {
  const { product, binary } = layout(context);
  const id = `restart:${product.unit}`;
  return {
    id,
    needs: [program, ...needs],
    desired: fingerprint({ unit: product.unit }),
    async inspect(look) {
      const { active } = await showUnit(product.unit);
      if (active !== "active" && active !== "activating") return undefined;
      if (!look.pending(program) && !(await runsOld(context))) return undefined;
      return {
        action: "update",
        impact: "restart",
        // Nobody changed anything by hand: it is part of giving the servers another program.
        cause: "spec",
        diff: "restart of the servers of all nodes at once, when all have this program",
        async apply(run) {
          const hash = await notedHash(binary);
          if (hash === undefined)
            throw failed("program.no_hash", `there is no hash of ${binary}`, "chime-node plan");
          await orderRestart(hash);
          const late = lacking(context, hash);
          // Nobody needs to wait here: with the last node's apply it comes.
          if (late.length > 0)
            return run.progress(`the restart waits for ${late.join(" and ")} to have the same program`);
          run.progress("waiting for the servers of all nodes to restart");
          const giveUp = systemClock.now() + restartMs;
          while (!(await runsNew(context))) {
            if (systemClock.now() > giveUp) {
              throw failed(
                "minio.not_restarted",
                `the servers were not restarted within ${restartMs / 1000} s`,
                {
                  remedy: "chime-node status; journalctl -u chime-node on each node says why",
                },
              );
            }
            await systemClock.sleep(lookMs, run.signal);
          }
        },
      };
    },
  };
}

/** Pure: the other nodes that have another program, or have not said. A dead one has to be back first, for it would not be let in. */
export function lacking({ self, members }: Pick<RoleContext, "self" | "members">, hash: string): string[] {
  return nodes(members)
    .filter((member) => member.name !== self.name && publishedBy(member)?.binary !== hash)
    .map(({ name }) => name);
}

/** Whether this node's server runs, and is older than the program that is there. */
function runsOld(context: RoleContext): Promise<boolean> {
  const { product, binary } = layout(context);
  return runsOlderThan(product.unit, [binary]);
}

/** Whether a unit runs, and was started before the youngest of these files came to be as it is. */
export async function runsOlderThan(unit: string, files: readonly string[]): Promise<boolean> {
  return runsSinceBefore(await showUnit(unit), await changedAt(files));
}

/** The same, of what systemd said. Pure. @param changed ms since the epoch */
export function runsSinceBefore(
  { active, startedAt }: Pick<UnitState, "active" | "startedAt">,
  changed: number,
): boolean {
  return (active === "active" || active === "activating") && changed > startedAt;
}

/** Whether it serves, with that program. */
async function runsNew(context: RoleContext): Promise<boolean> {
  const { active } = await showUnit(layout(context).product.unit);
  return active === "active" && !(await runsOld(context));
}

/** The program that all servers are to be restarted with, by its SHA-256; null where nobody ordered that here. */
export function orderedRestart(path: string = paths.minioRestart): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

async function orderRestart(hash: string, path: string = paths.minioRestart): Promise<void> {
  await makeParents(path);
  await writeAtomically(path, `${hash}\n`, { mode: 0o600, uid: 0, gid: 0 });
}

export async function dropRestart(path: string = paths.minioRestart): Promise<void> {
  await rm(path, { force: true });
}
