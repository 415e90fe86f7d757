import type { MinioSpec } from "../../spec/types.ts";
import type { Loss, MayBeLost } from "../types.ts";
import { quorumOf } from "./quorum.ts";

/**
 * What a layout stands, for reads and for writes, with everything there and in order. Pure.
 * @throws ChimeError `minio.layout`
 */
export function mayBeLost({ topology, nodes, disksPerNode }: MinioSpec): MayBeLost {
  if (topology === "pool") {
    const { sets, setSize, reads, writes } = quorumOf({ nodes, drivesPerNode: disksPerNode });
    const drives = sets === 1 ? `of ${setSize} drives` : `of the ${setSize} drives of a set`;
    return { reads, writes, line: lineOf(drives, nodes, reads, writes) };
  }
  const { reads, writes } = quorumOf({ nodes: 1, drivesPerNode: disksPerNode });
  const [ofReads, ofWrites] = [ofTwo(reads), ofTwo(writes)];
  return {
    reads: ofReads,
    writes: ofWrites,
    line: lineOf(`of ${2 * disksPerNode} drives`, 2, ofReads, ofWrites),
  };
}

/** Each of two stores that copy to each other does alone: both have to lose a drive too many. */
function ofTwo({ drives }: Loss): Loss {
  return { drives: 2 * drives + 1, nodes: 1 };
}

function lineOf(drives: string, nodes: number, reads: Loss, writes: Loss): string {
  const of = (loss: Loss) => {
    if (loss.drives === 0) return "nothing";
    const lost = `any ${loss.drives} ${drives}`;
    return loss.nodes === 0 ? `${lost}, but no node` : `${lost} or ${loss.nodes} of ${nodes} nodes`;
  };
  return `what may be lost at once: for reads ${of(reads)}; for writes ${of(writes)}`;
}
