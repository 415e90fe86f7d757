import { meanwhile } from "../../../core/meanwhile.ts";
import type { Session } from "../client.ts";
import type { Words } from "./words.ts";

/** Ends the sessions that the condition names. One that ended by itself meanwhile is no error. */
export async function endSessions(session: Session, { sessions }: Words, which: string): Promise<void> {
  const found = await session.rows(`SELECT id AS id FROM ${sessions} WHERE ${which}`);
  for (const { id } of found) await session.run([`KILL ${Number(id)}`]).catch(() => undefined);
}

const killAgainMs = 20;

/** What closing a server takes besides the session that does it. */
export interface Closing {
  /** Another session, which ends those that are in the way. */
  hand: Session;
  /** Whose they are: a condition on the words' `sessions`. */
  clients: string;
  ms: number;
}

/**
 * Kill, read-only, kill: closing hangs as long as one commit waits for its acknowledgement, so that clients are ended by
 * the hand until it is done. The session itself is spared by its id: between two statements it looks like any other.
 * @throws ChimeError `mysql.hung` after `ms`
 */
export async function closeForWrites(
  session: Session,
  words: Words,
  { hand, clients, ms }: Closing,
): Promise<void> {
  const [row] = await session.rows("SELECT CONNECTION_ID() AS id");
  const others = `${clients} AND id NOT IN (${Number(row?.["id"])}, CONNECTION_ID())`;
  const endClients = () => endSessions(hand, words, others);
  await endClients();
  await meanwhile(session.run([words.close], ms), killAgainMs, endClients);
  await endClients();
}
