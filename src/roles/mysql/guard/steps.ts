import { ChimeError, failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { killUnit } from "../../../host/systemd.ts";
import { askVotes } from "../../../cluster/vote/ballot.ts";
import { isSameTerm, type Term } from "../../../cluster/vote/term.ts";
import { roleName, users } from "../layout.ts";
import { takeUpCopy } from "../copy/copied.ts";
import { askGuard, askMs } from "./ask.ts";
import type { MysqlGuard } from "./guard.ts";
import { mayGoAlone } from "./council.ts";
import { slowMs } from "./decide.ts";
import { probe } from "./look.ts";
import { compare, putAside, startServer } from "./returning.ts";
import { sourceAddress } from "./source.ts";
import type { Step, View } from "./view.ts";

/** A writer that lives stops within milliseconds; one that hangs is not waited for. */
const yieldMs = 1_000;
/** How long everything that a yielding writer acknowledged may take to arrive. */
const arriveMs = 1_000;
const applyMs = 200;
/** How long a replica waits for a writer that is not done: without its accounts it is merely tried again later. */
const accountsMs = 1_000;
/** A writer must notice soon that it lost the VIP, whatever its replica is doing. */
const proveMs = 500;

/** Does one step. Returns false where it is merely not done yet. Everything here may be done twice. */
export async function perform(step: Step, guard: MysqlGuard, view: View): Promise<boolean> {
  const { engine, session, work, hand } = guard;
  switch (step.do) {
    case "adopt":
      guard.remember({ term: step.term });
      return true;
    case "claim":
      return claim(guard, view, step);
    case "start":
      return startServer(guard, view, step.truncate);
    case "fence":
      await engine.fence(work, hand);
      return true;
    case "settle":
      return false;
    case "kill":
      await killUnit(guard.layout.product.unit);
      return true;
    case "ask-yield":
      return askYield(guard, step.peer);
    case "stop-receiver":
      await engine.stopReceiver(work);
      return true;
    case "ask-votes":
      return seekTerm(guard, view, step.term, step.alone);
    case "name-voters":
      return nameVoters(guard, view, step);
    case "apply-received":
      return "down" in view.server || engine.applied(work, view.server.replica.received, applyMs);
    case "open":
      // The holder of everything, from the first write on.
      guard.remember({ proven: lifeOf(view) });
      await takeUpCopy(engine, guard.layout.data, work);
      await engine.open(work);
      guard.yielded = [];
      guard.deps.claimVip();
      return true;
    case "protect":
      if (step.after !== null && !(await isLevel(guard, view, step.after))) return false;
      await engine.protect(session);
      guard.provePoint = undefined;
      return true;
    case "release":
      await engine.release(session, step.cut);
      guard.provePoint = undefined;
      // A replica that was cut off may have announced the VIP as its own before it lost the vote, and let go of it since.
      if (step.cut) guard.deps.claimVip();
      return true;
    case "prove-peer":
      return provePeer(guard, view, step.peer, step.term);
    case "rebuild":
      await guard.rebuild.begin(step.from, step.because);
      return true;
    default:
      return follow(guard, step.peer);
  }
}

function lifeOf({ server }: View): string | null {
  return "down" in server ? null : server.life;
}

const copyMs = 2_000;

/** Wins a term, or learns of a newer one. @throws ChimeError `mysql.no_majority` */
async function seekTerm(guard: MysqlGuard, view: View, term: Term, alone: boolean): Promise<boolean> {
  const { membership, voter } = guard.deps;
  const outcome = await askVotes(voter, term, {
    self: view.self,
    liveness: (name) => membership.members().find((member) => member.name === name)?.state ?? "dead",
    alone,
  });
  // No await from here on: this node may have granted another one a term meanwhile.
  const held = guard.memory.term;
  const isHeld = isSameTerm(held, term);
  if (!isHeld && held !== null && held.term >= term.term) return true;
  const { newer, missing } = outcome;
  const may = () => held !== null && mayGoAlone({ ...view, gateway: guard.standing() }, held) === "yes";
  if (!outcome.granted || (outcome.alone && !may())) {
    if (newer) {
      guard.remember({ term: newer });
      return true;
    }
    throw failed("mysql.no_majority", `no majority for term ${term.term} (${missing || "nobody answered"})`, {
      remedy: "chime-node status shows which voter does not answer: bring it back",
    });
  }
  guard.grantedTerm = term.term;
  if (isHeld) return true;
  // Who is alone in a term holds everything; who stays in sync with another has to be found level as before.
  guard.remember(term.in_sync.length === 1 ? { term, proven: lifeOf(view) } : { term });
  await guard.announce(view);
  return true;
}

/** A new voter counts only once it holds the newest record of the others. */
async function nameVoters(
  guard: MysqlGuard,
  view: View,
  { term, added, from }: Extract<Step, { do: "name-voters" }>,
): Promise<boolean> {
  const { voter } = guard.deps;
  for (const name of added) {
    const { held } = await voter.call(name, "copy", { from: [...from] }, copyMs);
    if (!isSameTerm(held, guard.memory.term)) return false;
  }
  return seekTerm(guard, view, term, false);
}

async function claim(
  guard: MysqlGuard,
  view: View,
  { term, ask: peers }: { term: Term; ask: readonly string[] },
): Promise<boolean> {
  // A node that lost its disk is not the first one.
  for (const { name } of view.bystanders.filter(({ state }) => state === "alive")) {
    const { held } = await guard.deps.voter.call(name, "read", {}, askMs);
    if (held === null) continue;
    guard.remember({ term: held });
    return true;
  }
  for (const peer of peers) {
    try {
      const { granted, term: theirs } = await askGuard(guard, peer, "claim", { term });
      if (granted) continue;
      if (theirs && theirs.term > (guard.memory.term?.term ?? 0)) guard.remember({ term: theirs });
      return false;
    } catch (error) {
      // A node without a guard has no say yet; one that should answer and does not may be choosing just now.
      if (!(error instanceof ChimeError) || error.code.startsWith("peer.")) throw error;
    }
  }
  // Another node's claim may have been granted here meanwhile.
  if ((guard.memory.term?.term ?? 0) >= term.term) return true;
  guard.remember({ term });
  return true;
}

/** Whatever the peer answers, or if it does not: the receiver is stopped next, and then it can acknowledge nothing. */
async function askYield(guard: MysqlGuard, peer: string): Promise<boolean> {
  guard.yielded = [...guard.yielded, peer];
  try {
    const { refused, term, position } = await askGuard(guard, peer, "yield", {}, yieldMs);
    if (refused && term) guard.remember({ term });
    if (position !== null) await arrives(guard, position);
  } catch (error) {
    log.warn(`mysql: ${peer} did not answer the request to stop writing: ${(error as Error).message}`);
  }
  return true;
}

async function arrives(guard: MysqlGuard, position: string): Promise<void> {
  const { clock } = guard.deps;
  const end = clock.now() + arriveMs;
  while (clock.now() < end) {
    const { replica } = await probe(guard.engine, guard.session, guard.lives);
    if (replica.receiver === "stopped" || guard.engine.reaches(replica.received, position)) return;
    await clock.sleep(5);
  }
  log.warn(`mysql: transactions up to ${position} did not arrive; nobody was told that they succeeded`);
}

/** Whether the peer holds everything up to the point that was read when it was first asked. */
async function isLevel(guard: MysqlGuard, view: View, peer: string): Promise<boolean> {
  const life = view.peers.find(({ name }) => name === peer)?.said?.life ?? null;
  let point = guard.provePoint;
  if (point?.peer !== peer || point.life !== life) {
    const contents = await guard.engine.contents(guard.work);
    const { position } = await guard.engine.probe(guard.work);
    point = guard.provePoint = { peer, life, position, contents };
  }
  const { position, contents } = point;
  const answer = await askGuard(guard, peer, "prove", { position, contents }, proveMs);
  const level = answer.level && answer.life === life;
  if (level) guard.provePoint = undefined;
  else log.debug(`mysql: ${peer} is not level yet: ${answer.reason}`);
  return level;
}

async function provePeer(guard: MysqlGuard, view: View, peer: string, term: Term | null): Promise<boolean> {
  // The point was read after protection began: whatever came later waits for the replica anyway.
  if (!(await isLevel(guard, view, peer))) return false;
  if (!term) {
    const { stuckMs, server } = view;
    guard.unheardAt = stuckMs < slowMs || "down" in server ? undefined : server.source.acknowledged;
    return true;
  }
  // Between the question and the answer the replica may have gone: only one that still acknowledges is in sync.
  const { source, readOnly } = await guard.engine.probe(guard.work);
  if (readOnly || !source.active || !source.strict || source.replicas === 0) return false;
  guard.remember({ term });
  return true;
}

async function follow(guard: MysqlGuard, peer: string): Promise<boolean> {
  const { engine, work, layout } = guard;
  // A new pair's first writer makes the accounts when it is open: who asks earlier is refused, and waits a whole second.
  await guard.until(() => isReady(guard, peer), accountsMs);
  await takeUpCopy(engine, layout.data, work);
  const difference = await compare(guard, peer);
  if (difference.extra.length > 0) {
    await putAside(guard, difference);
    return true;
  }
  // Following anew throws away what was received and not applied: being in sync is to be proven again.
  guard.remember({ proven: null });
  await engine.follow(work, sourceAddress(guard, peer, users.replication));
  return true;
}

function isReady({ deps }: MysqlGuard, peer: string): boolean {
  const writer = deps.membership.members().find(({ name }) => name === peer);
  return writer?.phase[roleName] === "ready";
}
