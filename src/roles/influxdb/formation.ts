/** What is found at a node's server that answers and is not known to be one of the twins yet. */
export interface Found {
  /** Nobody has set it up. */
  isNew: boolean;
  /** It was one of the twins before. */
  wasJoined: boolean;
  /** It has what it had as such: it is neither new nor a copy that was cut off, nor was it set up apart and is empty. */
  holdsData: boolean;
  /** It knows the organisation by the same ID as the other one's; null where there is none to compare with. */
  isTwin: boolean | null;
  mate: MateInFormation | undefined;
}

interface MateInFormation {
  name: string;
  /** It joined the cluster before this node. */
  isFirst: boolean;
  /** Its agent is heard, and its server is one of the twins. */
  isThere: boolean;
  /** It was one of the twins at some time: it may hold what this node does not. */
  wasJoined: boolean;
}

/** `found`: set it up as the first one, or finish that. `copy`: take the other's metadata. `join`: it is one already. */
export type Formation = { do: "found" | "copy" | "join" } | { do: "wait"; line: string };

/** How a server becomes one of the twins: one of them is set up, the other one takes over all that it knows. Pure. */
export function formation({ isNew, wasJoined, holdsData, isTwin, mate }: Found): Formation {
  if (!isNew && (isTwin ?? holdsData)) return { do: "join" };
  // Nobody's, or set up in an attempt that was cut off: it holds nothing.
  if (mate?.isThere) return holdsData ? different(mate.name) : { do: "copy" };
  if (wasJoined) {
    const from = mate
      ? `waiting for ${mate.name}, which has them, too`
      : "chime-node reset here, and join again";
    return { do: "wait", line: `the data of this node are gone: ${from}` };
  }
  if (mate?.wasJoined)
    return { do: "wait", line: `waiting for ${mate.name}, whose buckets and tokens are taken over` };
  if (mate?.isFirst) return { do: "wait", line: `waiting for the server of ${mate.name} to be set up` };
  return { do: "found" };
}

function different(mate: string): Formation {
  const line = `the servers of this node and of ${mate} were set up apart, and both hold data: docs/influxdb.md`;
  return { do: "wait", line };
}
