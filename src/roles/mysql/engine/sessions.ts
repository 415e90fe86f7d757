import { meanwhile } from "../../../core/meanwhile.ts";
import type { Session } from "../client.ts";
import type { Words } from "./words.ts";

/** Ends the sessions that the condition names. One that ended by itself meanwhile is no error. */
export async function endSessions(session: Session, { sessions }: Words, which: string): Promise<void> {
  const found = await session.rows(`SELECT id AS id FROM ${sessions} WHERE ${which}`);
  for (const { id } of found) await session.run([`KILL ${Number(id)}`]).catch(() => undefined);
}

const killAgainMs = 20;

/**
 * Kill, read-only, kill: closing hangs as long as one commit waits for its acknowledgement, so that clients are ended by
 * another session until it is done.
 * @throws ChimeError `mysql.hung` after `ms`
 */
export async function closeForWrites(
  session: Session,
  { close }: Words,
  { endClients, ms }: { endClients: () => Promise<void>; ms: number },
): Promise<void> {
  await endClients();
  await meanwhile(session.run([close], ms), killAgainMs, endClients);
  await endClients();
}
