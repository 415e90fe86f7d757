import type { MemberView } from "../../cluster/types.ts";
import { nodes } from "./layout.ts";
import { isPast, timeText, type Outage } from "./outages.ts";

/** More of them are counted. */
const mostTold = 3;

/**
 * What a server lacks for good, where nobody is left in the cluster who could fill it; undefined: nothing that anybody knows of.
 * One that never had another one beside it is asked for nothing. Pure.
 * @param members the cluster's, those that left, too
 */
export function forgone(
  self: string,
  members: readonly MemberView[],
  outages: readonly Outage[],
): string | undefined {
  const others = nodes(members).filter(({ name }) => name !== self);
  if (others.length === 0 || others.some(({ state }) => state !== "left")) return undefined;
  const times = outages
    .filter(({ sure }) => sure)
    .filter(isPast)
    .map(({ from, to, bucket }) => {
      const when = from > 0 ? `of ${timeText(from)} to ${timeText(to)}` : `from before ${timeText(to)}`;
      return bucket === undefined ? when : `${when} in the bucket ${bucket}`;
    });
  if (times.length === 0) return undefined;
  const more = times.length > mostTold ? [`of ${times.length - mostTold} more times`] : [];
  const told = [...times.slice(0, mostTold), ...more].join(", ");
  return `${self} may lack points ${told}, when its server was not there: the node that could fill them has left the cluster`;
}
