import { usageError } from "../../core/errors.ts";
import type { Loss } from "../types.ts";

/** A pool of equal nodes, as one volumes pattern `http://node{1...N}…/disk{1...M}` makes it. */
export interface PoolShape {
  nodes: number;
  drivesPerNode: number;
  /** Drives of a set that may be lost without losing an object; the engine's own choice where it is not given. */
  parity?: number;
}

export interface Quorum extends Required<PoolShape> {
  /** Erasure sets, each an island: an object lives in one. */
  sets: number;
  /** Drives of a set. */
  setSize: number;
  /** Drives of a set that have to answer. */
  readQuorum: number;
  writeQuorum: number;
  /** What may be lost while everything is still read: drives of a set, nodes of the pool. */
  reads: Loss;
  /** What may be lost while writes go on. */
  writes: Loss;
}

/** The largest set the engine makes. */
const largestSet = 16;

/**
 * What may be lost, by the engine's rules: the set's size as in cmd/endpoint-ellipses.go, parity as in
 * storageclass.DefaultParityBlocks, quorums as in erasureObjects.defaultRQuorum and defaultWQuorum (which its health
 * page goes by). Locks need more than half of a set's nodes, which is never the tighter limit.
 * A PUT while drives are missing is given more parity and needs fewer drives than that (`MINIO_STORAGE_CLASS_OPTIMIZE`);
 * what is written over, deleted or appended to then is not, so it is no promise.
 * @throws ChimeError `minio.layout` where the engine would not make sets of it, `minio.parity`
 */
export function quorumOf(shape: PoolShape): Quorum {
  const { nodes, drivesPerNode } = shape;
  const setSize = sizeOfSet(shape);
  const parity = shape.parity ?? defaultParity(setSize);
  if (parity > setSize / 2) {
    throw usageError(
      "minio.parity",
      `parity ${parity} is more than half of the ${setSize} drives of an erasure set`,
      `set it to ${Math.floor(setSize / 2)} or less, or leave it to the engine`,
    );
  }
  const readQuorum = setSize - parity;
  const writeQuorum = readQuorum === parity ? readQuorum + 1 : readQuorum;
  const sets = drivesOnNodes(shape, setSize);
  return {
    nodes,
    drivesPerNode,
    parity,
    sets: sets.length,
    setSize,
    readQuorum,
    writeQuorum,
    reads: lossOf(setSize - readQuorum, sets),
    writes: lossOf(setSize - writeQuorum, sets),
  };
}

/** The largest size that divides the drives, and the nodes of which go in evenly (or that goes evenly into the nodes). */
function sizeOfSet({ nodes, drivesPerNode }: PoolShape): number {
  const drives = nodes * drivesPerNode;
  if (drives === 1) return 1;
  for (let size = largestSet; size > 1; size--) {
    if (drives % size === 0 && (size % nodes === 0 || nodes % size === 0)) return size;
  }
  throw usageError(
    "minio.layout",
    `${drives} drives on ${nodes} nodes cannot be spread evenly over erasure sets of 2 to ${largestSet} drives`,
    "take another number of disks a node: chime-node disks",
  );
}

function defaultParity(setSize: number): number {
  if (setSize === 1) return 0;
  if (setSize < 4) return 1;
  if (setSize < 6) return 2;
  return setSize < 8 ? 3 : 4;
}

/** By set: how many of its drives each of its nodes has. The engine counts all nodes before it comes to the second drive. */
function drivesOnNodes({ nodes, drivesPerNode }: PoolShape, setSize: number): number[][] {
  const sets = Array.from({ length: (nodes * drivesPerNode) / setSize }, () => new Map<number, number>());
  for (let drive = 0; drive < nodes * drivesPerNode; drive++) {
    const ofNodes = sets[Math.floor(drive / setSize)];
    ofNodes?.set(drive % nodes, (ofNodes.get(drive % nodes) ?? 0) + 1);
  }
  return sets.map((ofNodes) => [...ofNodes.values()]);
}

/** How many nodes have no more than so many drives of any set together, the largest counted first. */
function lossOf(drives: number, sets: readonly number[][]): Loss {
  const nodes = sets.map((ofNodes) => {
    let left = drives;
    let lost = 0;
    for (const has of ofNodes.toSorted((a, b) => b - a)) {
      left -= has;
      if (left < 0) break;
      lost++;
    }
    return lost;
  });
  return { drives, nodes: Math.min(...nodes) };
}

/**
 * What an operator has to know before anything is formatted: that this layout is not what "several nodes" promises.
 * @returns undefined where writes go on without any one node, and for a single node
 */
export function quorumWarning(quorum: Quorum): { message: string; remedy: string } | undefined {
  const { nodes, drivesPerNode, setSize, readQuorum, writeQuorum } = quorum;
  if (nodes === 1 || quorum.writes.nodes > 0) return undefined;
  const lost = `without ${nodes === 2 ? "either of two nodes" : `any of ${nodes} nodes`} this store`;
  const left = `of ${setSize} drives, and ${setSize - Math.ceil(setSize / nodes)} are left`;
  const message =
    quorum.reads.nodes > 0
      ? `${lost} is read-only: a write needs ${writeQuorum} ${left}`
      : `${lost} does not even read: that needs ${readQuorum} ${left}`;
  return { message, remedy: nodes === 2 ? remedyForTwo(drivesPerNode) : remedyByDisks(nodes, drivesPerNode) };
}

/** No flag but those of `init` says it, and that is over when this is read. */
export const whereLaidOut = "in [roles.minio] of cluster.toml, while no node has the role yet";

/** No parity lets two equal halves go on alone. */
function remedyForTwo(drivesPerNode: number): string {
  const readable = fewerDisks(2, drivesPerNode + 1, "reads");
  const disks = readable === drivesPerNode ? "" : ` with ${readable} disks a node, which keeps the reads`;
  return `accept it${disks}; or take two stores that copy to each other (topology = "mirror"), or a third node (nodes = 3): ${whereLaidOut}`;
}

function remedyByDisks(nodes: number, drivesPerNode: number): string {
  const disks = fewerDisks(nodes, drivesPerNode, "writes");
  return disks === undefined ? "add a node" : `take ${disks} disks a node, or add a node`;
}

/** The most disks a node, fewer than that, with which the loss of one node ends neither reads nor `what`. */
function fewerDisks(nodes: number, than: number, what: "reads" | "writes"): number | undefined {
  for (let drivesPerNode = than - 1; drivesPerNode > 0; drivesPerNode--) {
    try {
      if (quorumOf({ nodes, drivesPerNode })[what].nodes > 0) return drivesPerNode;
    } catch {
      // No layout for the engine.
    }
  }
  return undefined;
}
