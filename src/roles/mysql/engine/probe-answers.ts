import { oneLine } from "../../http.ts";
import { text, type Row } from "../client.ts";
import type { Engine, ServerState } from "./types.ts";
import type { Words } from "./words.ts";

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
      receiver: receivers.get(text(replica?.[`${words.replica}_IO_Running`])) ?? "stopped",
      applier: replica?.[`${words.replica}_SQL_Running`] === "Yes",
      received,
      reading: `${text(replica?.[`${words.source}_Log_File`])}:${text(replica?.[`Read_${words.source}_Log_Pos`])}`,
      pending: !reaches(position, received),
      semiSync: value.get(`rpl_semi_sync_${acknowledger}_status`) === "ON",
      error: said(replica?.["Last_SQL_Error"]) ?? said(replica?.["Last_IO_Error"]),
      lag: typeof lag === "number" || typeof lag === "bigint" ? Number(lag) : null,
    },
  };
}

const receivers: ReadonlyMap<string, ServerState["replica"]["receiver"]> = new Map([
  ["Yes", "running"],
  ["Preparing", "connecting"],
  ["Connecting", "connecting"],
  ["No", "stopped"],
]);

/** Of what a client wrote, it may quote anything: one line, which drives no terminal. */
function said(words: unknown): string | null {
  return (typeof words === "string" && oneLine(words.replaceAll(/\s+/g, " "))) || null;
}
