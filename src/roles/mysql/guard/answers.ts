import * as v from "valibot";
import { failed } from "../../../core/errors.ts";
import { mayGrantFirst } from "./decide.ts";
import type { MysqlGuard } from "./guard.ts";
import { probe } from "./look.ts";
import { wire, type Answer, type Method, type Params } from "./wire.ts";

/** How long a writer may take to stop before the asker goes on without its answer. */
const fenceMs = 900;

/** Answers a peer's guard. @throws ChimeError `guard.bad_question` */
export async function answer(
  guard: MysqlGuard,
  method: string,
  params: unknown,
  from: string,
): Promise<Answer<Method>> {
  if (!Object.hasOwn(wire, method))
    throw failed("guard.bad_question", `mysql answers no question ${method.slice(0, 40)}`);
  const known = method as Method;
  const parsed = v.safeParse(wire[known].params, params);
  if (!parsed.success) throw failed("guard.bad_question", `the question ${known} does not fit its schema`);
  if (!guard.view?.peers.some((peer) => peer.name === from) && !isPeer(guard, from)) {
    throw failed("guard.bad_question", `${from} has no part in mysql`);
  }
  if (known === "yield") return yieldTo(guard, from);
  if (known === "claim") return grantFirst(guard, parsed.output as Params<"claim">, from);
  if (known === "prove") return prove(guard, parsed.output as Params<"prove">, from);
  if (known === "copy-size") return guard.offer.size();
  if (known === "copy-open") return guard.offer.open(from);
  if (known === "copy-read") {
    const { id, offset } = parsed.output as Params<"copy-read">;
    return guard.offer.read(id, offset, from);
  }
  if (known === "copy-close") {
    return { known: guard.offer.close((parsed.output as Params<"copy-close">).id, from) };
  }
  return { contents: await guard.engine.contents(guard.hand) };
}

function isPeer({ deps }: MysqlGuard, name: string): boolean {
  return deps.membership.members().some((member) => member.name === name && member.roles.includes("mysql"));
}

/** Only a node that is in sync may take over, and this node stops writing before it says so. */
async function yieldTo(guard: MysqlGuard, from: string): Promise<Answer<"yield">> {
  const { term } = guard.memory;
  if (!term?.in_sync.includes(from)) return { refused: true, term, position: null };
  guard.withdrawal.standDown();
  await guard.until((view) => "down" in view.server || view.server.readOnly, fenceMs);
  try {
    const { position, readOnly } = await guard.engine.probe(guard.hand);
    return { refused: false, term, position: readOnly ? position : null };
  } catch {
    return { refused: false, term, position: null };
  }
}

/** There is no voter before the first term: the nodes agree by their indices. */
async function grantFirst(
  guard: MysqlGuard,
  { term: asked }: Params<"claim">,
  from: string,
): Promise<Answer<"claim">> {
  const { membership } = guard.deps;
  const server = await probe(guard.engine, guard.hand, guard.lives).catch(() => ({
    down: "starting" as const,
  }));
  // No await from here on: nothing may come between the judgement and the disk.
  const { term } = guard.memory;
  const asker = membership.members().find((member) => member.name === from);
  const isForItself = asked.term === 1 && asked.writer === from && asked.in_sync.join() === from;
  const node = { index: membership.self.index, term, server };
  if (!asker || !isForItself || !mayGrantFirst(node, asker)) return { granted: false, term };
  guard.remember({ term: asked });
  return { granted: true, term: asked };
}

/** Level: receives from the asker, acknowledges, and has applied everything up to its point. */
async function prove(
  guard: MysqlGuard,
  { position, contents }: Params<"prove">,
  from: string,
): Promise<Answer<"prove">> {
  const server = await probe(guard.engine, guard.hand, guard.lives);
  const { replica } = server;
  const asker = guard.deps.membership.members().find((member) => member.name === from);
  if (!server.readOnly) return notYet("it accepts writes itself");
  if (replica.from !== asker?.address || replica.receiver !== "running" || !replica.applier) {
    return notYet("it does not replicate");
  }
  if (!replica.semiSync) return notYet("it does not acknowledge");
  if (!guard.engine.reaches(replica.received, position)) return notYet("it has not received everything");
  // Threads that run can hide a missing transaction (domain truth §3): compared are the transactions of every server.
  const behind = guard.engine.extras(contents, await guard.engine.contents(guard.hand));
  if (behind.length > 0) return notYet(`it lacks ${behind.join(", ").slice(0, 300)}`);
  // Not as soon as it follows: what its server writes by itself as it recovers (DDL that it finishes) nobody was told of.
  guard.remember({ proven: server.life, outrun: null });
  return { level: true, life: server.life, reason: "" };
}

function notYet(reason: string): Answer<"prove"> {
  return { level: false, life: "", reason };
}
