import { callAgent } from "../agent/socket.ts";
import type { AuthorityProgress, RotationPlan } from "../cluster/authority-rotation.ts";
import { systemClock } from "../core/clock.ts";
import { usageError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { untilRotated } from "./until-rotated.ts";

export interface RotateAuthorityResult {
  /** 2: the new CA signs, the old one is still trusted. Null: the rotation is over. */
  stage: number | null;
  /** Rises with each stage. */
  version: number;
  /** Members that were not there. */
  away: readonly string[];
  seconds: number;
}

export interface AuthorityView extends AuthorityProgress {
  members: RotationPlan["members"];
}

/** Where a rotation stands, and who goes by this cluster's CA. */
export async function showAuthority(signal: AbortSignal): Promise<AuthorityView> {
  const at = await callAgent<AuthorityProgress>("ca.progress", {}, { signal });
  const { members } = await callAgent<RotationPlan>("ca.plan", {}, { signal });
  return { ...at, members };
}

/**
 * Puts another CA beside the cluster's and has it sign; with `finish`, drops the old one. The agents carry it out: where this
 * is interrupted they go on, and the same command again goes on waiting.
 * @param options.timeout for all members, ms
 * @throws ChimeError `ca.{witness,namesakes,away,old_member,unsettled,members_changed,not_ready}` (exit 3, nothing touched);
 *   `ca.nothing_to_finish` (exit 2); `ca.timeout`
 */
export async function rotateAuthority(
  { finish, timeout }: { finish: boolean; timeout: number },
  io: Io,
): Promise<RotateAuthorityResult> {
  const started = systemClock.now();
  const before = await progress(io);
  if (finish) await askToFinish(before, io);
  else if (before.stage === null) await askToBegin(io);
  else io.note(`a rotation is under way: ${before.awaiting ?? "the new CA signs"}`);
  const { stage, version, away } = await untilRotated(
    {
      progress: () => progress(io),
      isOver: ({ stage, done, awaiting }) => (finish ? done : stage === 2 && awaiting === null),
      code: "ca",
      show: "chime-node ca show",
      timeout,
    },
    io,
  );
  for (const name of away) io.warn(finish ? stayedAway(name) : comesBack(name));
  return { stage, version, away, seconds: Math.round(systemClock.now() - started) / 1000 };
}

async function askToBegin(io: Io): Promise<void> {
  const { members, agreed } = await callAgent<RotationPlan>("ca.plan", {}, { signal: io.signal });
  for (const { name, address, witness, state } of members) {
    const gets = witness ? "a witness: it is not given the new CA's key" : "it is given the new CA's key";
    io.note(`${name} (${address}, ${state}): ${gets}`);
  }
  const question =
    "Put another CA beside the cluster's? These members are trusted from then on, and tokens to join made so far are void.";
  if (!(await io.confirm(question))) throw usageError("ca.declined", "nothing was changed");
  await callAgent("ca.rotate", { agreed }, { signal: io.signal });
}

async function askToFinish({ stage, away }: AuthorityProgress, io: Io): Promise<void> {
  if (stage === 2) {
    for (const name of away)
      io.note(`${name} is away: if it was so all the time, it comes back by a new join alone`);
    const question =
      "Drop the old CA everywhere? Clients that verify and have not got the new CA file are refused from then on.";
    if (!(await io.confirm(question))) throw usageError("ca.declined", "nothing was changed");
  }
  await callAgent("ca.finish", {}, { signal: io.signal });
}

const comesBack = (name: string) =>
  `${name} is not there: bring it back before chime-node ca rotate --finish`;
const stayedAway = (name: string) =>
  `${name} is not there: if it was away all the time, reset it and join it again, or remove it`;

const progress = (io: Io) => callAgent<AuthorityProgress>("ca.progress", {}, { signal: io.signal });
