import type { ChangeProgress } from "../agent/secret-changes.ts";
import { callAgent } from "../agent/socket.ts";
import { systemClock } from "../core/clock.ts";
import { failed, refused, usageError } from "../core/errors.ts";
import type { RoleName } from "../cluster/types.ts";
import type { Status } from "../agent/status.ts";
import { roles } from "../roles/index.ts";
import { connectionTo } from "./connection.ts";
import { readContext } from "./context.ts";
import type { Io } from "./io.ts";
import { requireRoleNames } from "./role-names.ts";

export interface RotateOptions {
  role: RoleName;
  /** For all nodes, ms. */
  timeout: number;
}

export interface RotateResult {
  role: RoleName;
  /** Names of what is another value now, as in secrets.toml. */
  changed: readonly string[];
  seconds: number;
  summary: string;
}

const lookMs = 300;

/**
 * Changes the passwords of a role that no application uses, while it serves. The agents carry it out: where this is
 * interrupted they go on, and the same command again goes on waiting.
 * @throws ChimeError `secrets.nothing_to_rotate` (exit 2); `secrets.not_here`, `secrets.not_well`, `secrets.member_away`,
 * `secrets.old_member` (exit 3, nothing touched); `secrets.timeout`
 */
export async function rotateSecrets({ role, timeout }: RotateOptions, io: Io): Promise<RotateResult> {
  requireRoleNames([role]);
  const names = roles.find(({ name }) => name === role)?.rotates ?? [];
  if (names.length === 0) {
    const able = roles.flatMap(({ name, rotates }) => (rotates ? [name] : []));
    throw usageError(
      "secrets.nothing_to_rotate",
      `${role} has no password that is changed by this`,
      `--role ${able.join(" or ")}`,
    );
  }
  const started = systemClock.now();
  const { context } = await readContext();
  connectionTo(context, role);
  const before = await progress(role, io);
  if (before.done) {
    await requireWell(role, io);
    const question = `Change ${names.join(", ")} of ${role}? Its servers are restarted, and requests wait for some seconds.`;
    if (!(await io.confirm(question))) throw usageError("secrets.declined", "nothing was changed");
    await callAgent("secrets.rotate", { role }, { signal: io.signal });
  } else io.note(`${role}: a change is under way: ${before.awaiting ?? ""}`);
  const giveUp = systemClock.now() + timeout;
  for (;;) {
    const { done, awaiting } = await progress(role, io);
    if (done) break;
    if (systemClock.now() > giveUp) {
      throw failed(
        "secrets.timeout",
        `${role}: not every node goes by it after ${timeout / 1000} s: ${awaiting}`,
        {
          remedy: "chime-node status; the agents go on by themselves, the same command again goes on waiting",
        },
      );
    }
    io.progress(`${role}: ${awaiting}`);
    await systemClock.sleep(lookMs, io.signal);
  }
  const seconds = Math.round(systemClock.now() - started) / 1000;
  return { role, changed: names, seconds, summary: `${role}: ${names.join(", ")} changed on every node` };
}

const progress = (role: RoleName, io: Io) =>
  callAgent<ChangeProgress>("secrets.progress", { role }, { signal: io.signal });

/** What is broken is mended first, but for other roles: each node's server will be restarted. */
async function requireWell(role: RoleName, io: Io): Promise<void> {
  const status = await callAgent<Status>("status", { drift: false }, { signal: io.signal });
  const others = roles.flatMap(({ name }) => (name === role ? [] : [`${name}.`]));
  const wrong = status.problems.find(
    ({ code, severity }) =>
      (severity === "error" || code === "maintenance") && !others.some((name) => code.startsWith(name)),
  );
  if (!wrong) return;
  throw refused("secrets.not_well", `${role} is not to be restarted now: ${wrong.message}`, wrong.remedy);
}
