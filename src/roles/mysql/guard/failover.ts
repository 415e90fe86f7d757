import type { FailoverReport, FailoverResult } from "../../failover-report.ts";
import { electorate, type Term } from "../../../cluster/vote/term.ts";
import { hasVote, termByWord } from "../../../cluster/vote/word.ts";
import { failed, refused, type ChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { roleName } from "../layout.ts";
import { stillWriting } from "./decide.ts";
import type { MysqlGuard } from "./guard.ts";
import { holders, possibleLoss } from "./loss.ts";
import { askGuard } from "./ask.ts";
import type { View } from "./view.ts";

const readMs = 1_000;

/** A server that recovers after a power cut. */
const startMs = 5_000;

/** A handover waits up to 10 s for a replica that is on its way, and up to 20 s for its takeover. */
const handoverMs = 35_000;

/** A writer that is told stops within a second; commits that wait for a silent replica are looked at for a while. */
const stopMs = 10_000;

/** The start of a server that recovers, and the VIP's way here. */
const openMs = 60_000;

interface Found {
  report: FailoverReport;
  view: View;
  newest: Term;
  /** Members that answered. */
  answered: string[];
}

/** What a failover to this node would mean. Touches nothing. */
export async function assessFailover(guard: MysqlGuard): Promise<FailoverReport> {
  return (await assess(guard)).report;
}

/**
 * Makes this node the writer: by a handover where the writer lives and this node is in sync, otherwise by a term that
 * no vote has granted (src/cluster/vote/word.ts). Whoever can be reached is told first, and has to have stopped.
 * @param word the operator accepts what may be lost
 * @throws ChimeError `failover.needs_word`, `failover.stopped`, `failover.nothing_known`,
 *   `failover.never_level` (exit 3),
 *   `failover.overtaken`, `failover.not_fenced`, `failover.not_open`
 */
export async function failOver(guard: MysqlGuard, word: boolean): Promise<FailoverResult> {
  const { clock, membership } = guard.deps;
  const started = clock.now();
  const { report, view, newest, answered } = await assess(guard);
  const done = (lost: string[] | null): FailoverResult => ({
    ...report,
    seconds: Math.round(clock.now() - started) / 1000,
    lost,
  });
  if (report.way === "none") return done([]);
  if (report.way === "handover" && (await handsOver(guard, newest.writer, word))) return done([]);
  if (!word) throw needsWord(guard, report);
  requireStartable(guard, view);

  const { name, index } = membership.self;
  const { left } = roll(guard);
  const overruled = holders(newest, name).filter((holder) => !left.includes(holder));
  const term = guard.deps.voter.signed(
    termByWord(newest, { name, index }, overruled, (member) => left.includes(member)),
  );
  log.warn(`mysql: by an operator's word: term ${term.term}, ${name} writes without ${overruled.join(", ")}`);
  const told = await tell(guard, answered, term);
  // What was found when this node compared itself was compared with a writer that is none any more.
  guard.quarantine = null;
  guard.grantedTerm = term.term;
  guard.remember({ term, proven: "down" in view.server ? null : view.server.life });
  await allStop(guard, term);
  const isOpen = (now: View) => now.term?.writer === name && "readOnly" in now.server && !now.server.readOnly;
  if (!(await guard.until(isOpen, openMs))) {
    throw failed("failover.not_open", `${name} may write and does not yet: it is ${guard.awaiting()}`, {
      remedy: `nothing has to be said again: journalctl -u chime-node on ${name}; chime-node status`,
    });
  }
  return done(
    await missingHere(
      guard,
      overruled.filter((holder) => told.includes(holder)),
    ),
  );
}

async function assess(guard: MysqlGuard): Promise<Found> {
  const { self } = guard.deps.membership;
  // What it holds is part of the answer.
  await guard.until(({ server }) => !("down" in server && server.down === "starting"), startMs);
  const { view } = guard;
  const { others, left } = roll(guard);
  const records = await Promise.all(others.map((name) => read(guard, name)));
  const answers = records.flatMap((record) => record ?? []);
  const newest = [guard.memory.term, ...answers.map(({ held }) => held)].reduce<Term | null>(
    (best, term) => (term && term.term > (best?.term ?? 0) ? term : best),
    null,
  );
  if (!view || !newest) {
    throw refused("failover.nothing_known", `${self.name} knows of no writer yet`, {
      remedy: `chime-node join --role ${roleName} on ${self.name}`,
    });
  }
  if (!hasVote(newest, self.name)) {
    throw refused("failover.never_level", `${self.name} has not been level with ${newest.writer} once`, {
      remedy: `bring ${newest.writer} back: ${self.name} holds a part of its rows at most`,
    });
  }
  const answered = answers.map(({ name }) => name);
  const silent = (names: readonly string[]) =>
    names.filter((name) => others.includes(name) && !answered.includes(name));
  const server = "down" in view.server ? null : view.server;
  const way = wayOf(view, newest);
  const voters = electorate(newest).filter((name) => view.bystanders.some((one) => one.name === name));
  const report: FailoverReport = {
    role: roleName,
    to: self.name,
    from: newest.writer,
    way,
    may_lose: [],
    power_off: way === "word" ? silent(holders(newest, self.name)) : [],
    untold: way === "word" ? silent(voters) : [],
  };
  if (way === "word") {
    report.may_lose = possibleLoss({
      self: self.name,
      newest,
      proven: server !== null && view.proven === server.life,
      position: server?.position ?? null,
      answered,
      left,
      lastHeard: (name) => lastHeard(guard, name),
    });
  }
  return { report, view, newest, answered };
}

/** The other members: who can have a say, and who left. */
function roll({ deps }: MysqlGuard): { others: string[]; left: string[] } {
  const all = deps.membership.members().filter(({ name }) => name !== deps.membership.self.name);
  const names = (isLeft: boolean) => all.filter(({ left }) => left === isLeft).map(({ name }) => name);
  return { others: names(false), left: names(true) };
}

async function read(
  guard: MysqlGuard,
  name: string,
): Promise<{ name: string; held: Term | null } | undefined> {
  try {
    const { held } = await guard.deps.voter.call(name, "read", {}, readMs);
    return { name, held };
  } catch {
    return undefined;
  }
}

function wayOf(view: View, newest: Term): FailoverReport["way"] {
  const { self, term, granted, server, peers } = view;
  const isAlive = (name: string) => peers.some((peer) => peer.name === name && peer.state === "alive");
  const others = newest.in_sync.filter((name) => name !== self);
  const serves = newest.writer === self && granted && "readOnly" in server && !server.readOnly;
  if (serves && newest.term === term?.term && others.every(isAlive)) return "none";
  const writer = peers.find(({ name }) => name === newest.writer);
  const lives = writer?.state === "alive" && writer.said?.state === "writer";
  return lives && newest.in_sync.includes(self) ? "handover" : "word";
}

function lastHeard({ deps, heard }: MysqlGuard, name: string): string {
  const member = deps.membership.members().find((one) => one.name === name);
  if (!member || !heard.includes(name)) return "before this node's agent started";
  return `${Math.round(member.silentMs / 1000)} s ago`;
}

function needsWord({ deps }: MysqlGuard, { to, from }: FailoverReport): ChimeError {
  const { cluster } = deps.context();
  return refused(
    "failover.needs_word",
    `${from ?? "nobody"} does not hand over, and no vote makes ${to} the writer`,
    {
      remedy: `chime-node failover --to ${to} --dry-run says what may be lost; then: chime-node failover --to ${to} --accept-loss=${cluster.name}`,
    },
  );
}

/** Where the writer cannot hand over, an operator's word still stands. @throws without one, what the writer says */
async function handsOver({ deps }: MysqlGuard, writer: string, word: boolean): Promise<boolean> {
  try {
    await deps.membership.call(writer, "handover", { role: roleName }, handoverMs);
    return true;
  } catch (error) {
    if (!word) throw error;
    log.warn(`mysql: ${writer} does not hand over: ${(error as Error).message}`);
    return false;
  }
}

/** @throws ChimeError `failover.stopped` */
function requireStartable(guard: MysqlGuard, { server }: View): void {
  if (!("down" in server) || server.down !== "stopped") return;
  const { unit } = guard.layout.product;
  throw refused("failover.stopped", `${unit} was stopped by hand on ${guard.deps.membership.self.name}`, {
    remedy: `systemctl start ${unit} there, then run this again`,
  });
}

/** On their disks before this node acts on it. @returns who was told @throws ChimeError `failover.overtaken` */
async function tell(guard: MysqlGuard, names: readonly string[], term: Term): Promise<string[]> {
  const answers = await Promise.all(
    names.map(async (name) => {
      try {
        const { held } = await guard.deps.voter.call(name, "tell", { term }, readMs);
        return { name, held };
      } catch (error) {
        log.warn(`mysql: ${name} cannot be told of term ${term.term}: ${(error as Error).message}`);
        return undefined;
      }
    }),
  );
  const told = answers.flatMap((answer) => answer ?? []);
  const ahead = told.find(({ held }) => (held?.term ?? 0) > term.term);
  if (ahead) {
    throw failed("failover.overtaken", `${ahead.name} knows of a newer writer, ${ahead.held?.writer}`, {
      remedy: "chime-node status; say it again if it is still right",
    });
  }
  return told.map(({ name }) => name);
}

/** @throws ChimeError `failover.not_fenced` */
async function allStop(guard: MysqlGuard, term: Term): Promise<void> {
  if (await guard.until((now) => stillWriting(now, term) === undefined, stopMs)) return;
  const peer = (guard.view && stillWriting(guard.view, term)) ?? "the old writer";
  throw failed("failover.not_fenced", `${peer} was told and has not said that it stopped writing`, {
    remedy: `power ${peer} off: then ${term.writer} goes on by itself`,
  });
}

/** What a node that was overruled holds and this one does not, by their logs. */
async function missingHere(guard: MysqlGuard, told: readonly string[]): Promise<string[] | null> {
  const lost: string[] = [];
  for (const peer of told) {
    try {
      const { contents } = await askGuard(guard, peer, "contents", {});
      lost.push(...guard.engine.extras(contents, await guard.engine.contents(guard.hand)));
    } catch {
      return null;
    }
  }
  return told.length > 0 ? lost : null;
}
