import * as v from "valibot";
import { failed } from "../../../core/errors.ts";
import { roleName } from "../layout.ts";
import type { MysqlGuard } from "./guard.ts";
import { wire, type Answer, type Method, type Params } from "./wire.ts";

export const askMs = 2_000;

/** Asks a peer's guard. @throws ChimeError of the peer, or `peer.unreachable`, `peer.timeout`, `mysql.bad_answer` */
export async function askGuard<M extends Method>(
  guard: Pick<MysqlGuard, "deps">,
  peer: string,
  method: M,
  params: Params<M>,
  timeoutMs = askMs,
): Promise<Answer<M>> {
  const answer = await guard.deps.membership.call(peer, `guard.${roleName}.${method}`, params, timeoutMs);
  const parsed = v.safeParse(wire[method].answer, answer);
  if (!parsed.success) throw failed("mysql.bad_answer", `${peer} answered ${method} with something else`);
  return parsed.output;
}
