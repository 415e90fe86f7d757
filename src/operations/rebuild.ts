import { callAgent } from "../agent/socket.ts";
import { systemClock } from "../core/clock.ts";
import { ChimeError, Exit, refused, usageError } from "../core/errors.ts";
import type { RoleName } from "../cluster/types.ts";
import type { RebuildProgress } from "../roles/mysql/copy/report.ts";
import { readContext, requireIdentity, requireRoot } from "./context.ts";
import { untilReady } from "./bring-up.ts";
import { summarize, type JoinResult } from "./join.ts";
import type { Io } from "./io.ts";

export interface RebuildOptions {
  /** The operator names the node whose data go: it must be this one. */
  node: string;
  role: readonly RoleName[];
  timeout: number;
  wait: boolean;
}

/** Roles whose data one node can give another whole. */
const rebuildable: readonly RoleName[] = ["mysql"];

/** The other node's files are counted before it begins. */
const beginMs = 60_000;

/**
 * Replaces this node's data by those of the node that serves, and waits until it is ready again.
 * @throws ChimeError `rebuild.*` (exit 3, nothing touched), what made it fail, `ready.timeout`
 */
export async function rebuildNode(options: RebuildOptions, io: Io): Promise<JoinResult> {
  requireRoot();
  const identity = await requireIdentity();
  const { self, cluster } = identity;
  if (options.node !== self.name) {
    throw refused("rebuild.other_node", `this node is ${self.name}, not ${options.node}`, {
      remedy: `to rebuild ${options.node}: chime-node join --rebuild ${options.node} there; this one: --rebuild ${self.name}`,
    });
  }
  const { context } = await readContext();
  const names = context.self.roles.filter((role) => rebuildable.includes(role));
  const other = options.role.find((role) => !names.includes(role));
  if (names.length === 0 || other !== undefined) {
    throw usageError(
      "rebuild.no_role",
      `${self.name} has no data of ${other ?? "any role"} that could be rebuilt`,
      "chime-node status",
    );
  }
  const question = `Replace all ${names.join(", ")} data of ${self.name} by those of the node that serves?`;
  if (!(await io.confirm(question))) throw usageError("rebuild.declined", "nothing was changed");
  for (const role of names) {
    await callAgent<RebuildProgress>(
      "role.command",
      { role, method: "rebuild", params: {} },
      { signal: io.signal, timeoutMs: beginMs },
    );
    io.note(`rebuilding ${role} on ${self.name}; if this command is interrupted, the agent goes on`);
    if (!options.wait) continue;
    await untilRebuilt(role, io);
    const deadline = systemClock.now() + options.timeout;
    await untilReady(role, deadline, options.timeout, io);
  }
  return summarize({ cluster, self }, names);
}

async function untilRebuilt(role: RoleName, io: Io): Promise<void> {
  for (;;) {
    const params = { role, method: "rebuild-progress", params: {} };
    const { active, text, failure } = await callAgent<RebuildProgress>("role.command", params, {
      signal: io.signal,
    });
    if (failure) {
      const { code, message, remedy, node } = failure;
      throw new ChimeError(Exit.failed, code, message, {
        remedy: remedy ?? undefined,
        node: node ?? undefined,
      });
    }
    if (!active) return;
    io.progress(`${role}: waiting for ${text ?? "the copy"}`);
    await systemClock.sleep(100, io.signal);
  }
}
