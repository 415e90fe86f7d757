import type { MemberView } from "../../cluster/types.ts";
import type { MinioSpec } from "../../spec/types.ts";
import type { Problem } from "../guard.ts";
import type { StoreNodeStatus, StoreStatus } from "../types.ts";
import { mayBeLost } from "./may-be-lost.ts";
import { publishedBy, type Published } from "./published.ts";
import type { Quorum } from "./quorum.ts";

/** A node of the store, and what it says of itself. */
export interface Heard {
  member: MemberView;
  /** What a dead member last said is history. */
  said: Published | null;
}

export function hear(member: MemberView): Heard {
  return { member, said: member.state === "dead" ? null : publishedBy(member) };
}

/** @param drives of the node, as far as a server tells of them */
export function nodeStatus(
  { member, said }: Heard,
  drives: { online: number; healing: number } | undefined,
  total: number,
): StoreNodeStatus {
  return {
    name: member.name,
    state: said?.state ?? "down",
    drives: { total, online: drives?.online ?? 0, healing: drives?.healing ?? 0 },
    binary_sha256: said?.binary ?? null,
  };
}

export function storeStatus(
  spec: MinioSpec,
  { readQuorum, writeQuorum }: Quorum,
  nodes: StoreNodeStatus[],
  told: Pick<StoreStatus, "capacity" | "older_states">,
): StoreStatus {
  const { reads, writes } = mayBeLost(spec);
  const sum = (key: "online" | "healing") => nodes.reduce((all, { drives }) => all + drives[key], 0);
  return {
    topology: spec.topology,
    engine: spec.engine,
    nodes,
    drives: { total: spec.nodes * spec.disksPerNode, online: sum("online"), healing: sum("healing") },
    quorum: { read: readQuorum, write: writeQuorum },
    may_be_lost: { reads, writes },
    ...told,
  };
}

export function nobodyServes(heard: readonly Heard[], remedy: string): Problem {
  const down = heard.map(({ member, said }) => `${member.name}: ${said?.detail ?? "nothing heard"}`);
  return {
    code: "minio.down",
    severity: "error",
    node: heard.map(({ member }) => member.name).join(", "),
    message: `no node serves objects (${down.join("; ")})`,
    remedy,
  };
}

/** @param comes how it gets what it lacks, as a clause */
export function nodeDown({ member: { name }, said }: Heard, comes: string): Problem {
  const why = said?.detail ? `: ${said.detail}` : "";
  return {
    code: "minio.node_down",
    severity: "error",
    node: name,
    message: `the store's server on ${name} does not serve${why}`,
    remedy: `start ${name}; ${comes}. journalctl -u chime-node there says more`,
  };
}
