import { failed, type ChimeError } from "../../../core/errors.ts";
import type { Problem } from "../../guard.ts";
import { rangeOf, type Deletion, type Withheld } from "../gap/deleted.ts";
import { rangeText } from "../gap/time.ts";

/** A deletion that was done on the other server, and that this node's refuses for good. */
export interface Refused {
  deletion: Deletion;
  /** In the server's words. */
  why: ChimeError;
}

/** An agent's report is none where a text of it is too long. */
const short = (text: string): string => text.slice(0, 200);

/** What `status` tells of them: of the oldest, for what helps with one of them may help with all. Pure. */
export function refusedProblems(node: string, [first, ...more]: readonly Refused[]): Problem[] {
  if (!first) return [];
  const { deletion, why } = first;
  const bucket = short(deletion.bucket);
  const range = rangeOf(deletion);
  const where = deletion.predicate && `, where ${short(deletion.predicate)}`;
  const others = more.length > 0 ? `; and ${more.length} more` : "";
  const [from, to] = [range.from, range.to].map((ms) => new Date(ms).toISOString());
  return [
    {
      code: "influxdb.delete_refused",
      severity: "error",
      node,
      message: `what was deleted of bucket ${bucket} at ${deletion.at} (${rangeText(range)}${where}${others}) is still on ${node}: ${why.message}`,
      remedy: `give ${node} the program that the other node runs: it is deleted within a minute then; or delete ALL of that time: chime-node influxdb delete --bucket ${bucket} --from ${from} --to ${to}`,
    },
  ];
}

/** Why a bucket is not compared there. Pure. */
export function whyWithheld({ bucket, ...range }: Withheld): ChimeError {
  return failed(
    "influxdb.delete_refused",
    `bucket ${bucket} is not compared of ${rangeText(range)}: a server refuses to delete what was deleted there`,
    "chime-node status names the deletion (influxdb.delete_refused), and what helps",
  );
}
