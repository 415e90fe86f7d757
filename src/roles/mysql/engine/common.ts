import { meanwhile } from "../../../core/meanwhile.ts";
import { text, type Row, type Session } from "../client.ts";
import type { Engine, ServerState } from "./types.ts";

/** What both products do alike, each in its own words. */
export interface Words {
  /** The two halves of replication, as columns and variables call them. */
  source: string;
  replica: string;
  /** Where a session sees all others, by `id`, `user`, `command` and `info`. */
  sessions: string;
  /** Closes the server for writes, for administrators too. */
  close: string;
}

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

/** A probe's three answers: variables, semi-sync's status, replication's. */
export interface ProbeAnswers {
  variables: Row | undefined;
  status: readonly Row[] | undefined;
  replica: Row | undefined;
}

/** Pure: what the guard decides by. */
export function readAnswers(
  { variables = {}, status = [], replica }: ProbeAnswers,
  words: Words,
  { position, received, reaches }: { position: string; received: string; reaches: Engine["reaches"] },
): Omit<ServerState, "life"> {
  const value = new Map(status.map((row) => [text(row["Variable_name"]).toLowerCase(), row["Value"]]));
  const [source, acknowledger] = [words.source, words.replica].map((half) => half.toLowerCase());
  const ours = (name: string) => value.get(`rpl_semi_sync_${source}_${name}`);
  const lag = replica?.[`Seconds_Behind_${words.source}`];
  return {
    readOnly: Number(variables["read_only"]) !== 0,
    position,
    source: {
      enabled: Number(variables["enabled"]) === 1,
      strict: Number(variables["strict"]) === 1,
      active: ours("status") === "ON",
      replicas: Number(ours("clients") ?? 0),
      waiting: Number(ours("wait_sessions") ?? 0),
      acknowledged: Number(ours("yes_tx") ?? 0),
    },
    replica: {
      from: replica ? text(replica[`${words.source}_Host`]) : null,
      receiver: receivers[text(replica?.[`${words.replica}_IO_Running`])] ?? "stopped",
      applier: replica?.[`${words.replica}_SQL_Running`] === "Yes",
      received,
      reading: `${text(replica?.[`${words.source}_Log_File`])}:${text(replica?.[`Read_${words.source}_Log_Pos`])}`,
      pending: !reaches(position, received),
      semiSync: value.get(`rpl_semi_sync_${acknowledger}_status`) === "ON",
      error: oneLine(replica?.["Last_SQL_Error"]) ?? oneLine(replica?.["Last_IO_Error"]),
      lag: typeof lag === "number" || typeof lag === "bigint" ? Number(lag) : null,
    },
  };
}

const receivers: Record<string, ServerState["replica"]["receiver"]> = {
  Yes: "running",
  Preparing: "connecting",
  Connecting: "connecting",
  No: "stopped",
};

function oneLine(text: unknown): string | null {
  const line = typeof text === "string" ? text.replaceAll(/\s+/g, " ").trim().slice(0, 300) : "";
  return line === "" ? null : line;
}
