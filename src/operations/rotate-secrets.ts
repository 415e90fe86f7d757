import type { ChangeProgress, Whose } from "../agent/secret-changes.ts";
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
  /** The key that applications hold, in place of the administrator's password. */
  application: boolean;
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
/** The service itself is asked. */
const askMs = 30_000;

/**
 * Changes the passwords of a role that no application uses, while it serves; or makes another key for applications beside the
 * one that they have. The agents carry it out: where this is interrupted they go on, and the same command again goes on waiting.
 * @throws ChimeError `secrets.nothing_to_rotate` (exit 2); `secrets.not_here`, `secrets.not_well`, `secrets.member_away`,
 * `secrets.old_member`, `secrets.not_retired` (exit 3, nothing touched); `secrets.timeout`
 */
export async function rotateSecrets(
  { role, application, timeout }: RotateOptions,
  io: Io,
): Promise<RotateResult> {
  requireRoleNames([role]);
  const whose: Whose = application ? "application" : "administrator";
  const found = roles.find(({ name }) => name === role);
  const names = (application ? found?.replaces : found?.rotates) ?? [];
  if (names.length === 0 && found?.rotatedByHand) {
    const { why, remedy } = found.rotatedByHand;
    throw usageError(
      "secrets.nothing_to_rotate",
      `the tokens of ${role} are not changed by this: ${why}`,
      remedy,
    );
  }
  if (names.length === 0) {
    const able = roles.flatMap(({ name, rotates, replaces }) =>
      (application ? replaces : rotates) ? [name] : [],
    );
    throw usageError(
      "secrets.nothing_to_rotate",
      `${role} has no password that is changed by this`,
      `--role ${able.join(" or ")}`,
    );
  }
  const started = systemClock.now();
  const { context } = await readContext();
  connectionTo(context, role);
  const progress = () =>
    callAgent<ChangeProgress>("secrets.progress", { role, whose }, { signal: io.signal });
  const before = await progress();
  if (before.done) {
    await requireWell(role, io);
    const cost = application
      ? "What applications have now works until it is retired."
      : "Its servers are restarted, and requests wait for some seconds.";
    const question = `Change ${names.join(", ")} of ${role}? ${cost}`;
    if (!(await io.confirm(question))) throw usageError("secrets.declined", "nothing was changed");
    await callAgent("secrets.rotate", { role, whose }, { signal: io.signal });
  } else io.note(`${role}: a change is under way: ${before.awaiting ?? ""}`);
  await untilDone(role, timeout, progress, io);
  const summary = application
    ? `${role}: applications are to have what chime-node secrets show --role ${role} says; what they had works until chime-node secrets retire --role ${role}`
    : `${role}: ${names.join(", ")} changed on every node`;
  return { role, changed: names, seconds: secondsSince(started), summary };
}

export interface RetireResult {
  role: RoleName;
  seconds: number;
  summary: string;
}

/**
 * Ends what applications used before the last change: from then on it is refused, on a node that is away when that is back.
 * @throws ChimeError `secrets.nothing_to_retire` (exit 2), `secrets.changing` (exit 3, nothing touched), `secrets.timeout`, `minio.*`
 */
export async function retireSecrets(
  { role, timeout }: Pick<RotateOptions, "role" | "timeout">,
  io: Io,
): Promise<RetireResult> {
  requireRoleNames([role]);
  const started = systemClock.now();
  const { context } = await readContext();
  connectionTo(context, role);
  await callAgent("secrets.require_changed", { role }, { signal: io.signal });
  const retiring = () => callAgent<ChangeProgress>("secrets.retiring", { role }, { signal: io.signal });
  if ((await retiring()).done) {
    throw usageError("secrets.nothing_to_retire", `${role}: there is nothing that applications used before`);
  }
  if (!(await io.confirm(`Refuse what applications of ${role} used before? One that still does is cut off.`)))
    throw usageError("secrets.declined", "nothing was changed");
  await callAgent(
    "role.command",
    { role, method: "retire", params: {} },
    { signal: io.signal, timeoutMs: askMs },
  );
  await untilDone(role, timeout, retiring, io);
  const summary = `${role}: what applications used before is refused`;
  return { role, seconds: secondsSince(started), summary };
}

/** @throws ChimeError `secrets.timeout` */
async function untilDone(
  role: RoleName,
  timeout: number,
  look: () => Promise<ChangeProgress>,
  io: Io,
): Promise<void> {
  const giveUp = systemClock.now() + timeout;
  for (;;) {
    const { done, awaiting } = await look();
    if (done) return;
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
}

const secondsSince = (started: number): number => Math.round(systemClock.now() - started) / 1000;

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
