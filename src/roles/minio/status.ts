import type { MemberView } from "../../cluster/types.ts";
import type { MinioSpec } from "../../spec/types.ts";
import type { Problem } from "../guard.ts";
import type { RoleContext, StoreNodeStatus, StoreStatus } from "../types.ts";
import { hear, nobodyServes, nodeDown, nodeStatus, storeStatus, type Heard } from "./heard.ts";
import { minioSpec, nodes } from "./layout.ts";
import type { Published } from "./published.ts";
import { slotOf } from "./slots.ts";
import { quorumOf, quorumWarning, type Quorum } from "./quorum.ts";

/** `status.roles.minio` and what is wrong with the store, from what its nodes published. Pure. */
export function minioStatus(
  context: RoleContext,
  members: readonly MemberView[],
): { status: StoreStatus; problems: Problem[] } {
  const spec = minioSpec(context);
  const quorum = quorumOf({ nodes: spec.nodes, drivesPerNode: spec.disksPerNode });
  const present = members.filter((member) => member.state !== "left");
  const heard = nodes(present).map(hear);
  const view = heard.find(({ said }) => said?.state === "serving" && said.seen)?.said?.seen ?? null;
  const found = heard.map((one) => {
    const place = slotOf(context, present, one.member.name, null);
    const here = view?.nodes.find(({ slot }) => slot === place)?.drives;
    return nodeStatus(one, here, spec.disksPerNode);
  });
  const told = heard.find(({ said }) => said?.state === "serving" && said.olderStates);
  const status = storeStatus(spec, quorum, found, {
    capacity: view?.capacity ?? null,
    older_states: told?.said?.olderStates ?? null,
  });
  return { status, problems: problemsOf(status, heard, spec, quorum) };
}

function problemsOf(
  status: StoreStatus,
  heard: readonly Heard[],
  { nodes: wanted, bucket }: MinioSpec,
  quorum: Quorum,
): Problem[] {
  const [first] = heard;
  if (!first) return [];
  const isFormed = heard.some(({ member }) => member.phase["minio"] === "ready");
  const missing =
    heard.length < wanted ? [incomplete(first.member.name, heard.length, wanted, isFormed)] : [];
  // Part of a join that is still under way.
  if (!isFormed) return missing;
  const serving = heard.filter(({ said }) => said?.state === "serving");
  if (serving.length === 0) {
    const remedy = "start the nodes that are down: the store comes up by itself when enough drives are there";
    return [nobodyServes(heard, remedy)];
  }
  return [
    ...missing,
    ...readOnly(serving, status),
    ...heard.flatMap((one) => nodeProblems(one, status)),
    ...completing(heard),
    ...programProblems(status.nodes),
    ...(status.older_states === "none" ? [unversioned(first.member.name, bucket)] : []),
    ...layoutProblems(first.member.name, quorum),
  ];
}

function incomplete(node: string, there: number, wanted: number, isFormed: boolean): Problem {
  const are = `${there} ${there === 1 ? "is" : "are"}`;
  return {
    code: "minio.incomplete",
    severity: isFormed ? "error" : "warning",
    node,
    message: isFormed
      ? `the store is laid out on ${wanted} nodes, and ${are} in the cluster: the drives of the others are lost`
      : `the store is laid out on ${wanted} nodes and starts when all are there: ${are}`,
    remedy: `chime-node join --role minio --disk … on ${wanted - there} more`,
  };
}

function readOnly(serving: readonly Heard[], { drives, quorum }: StoreStatus): Problem[] {
  if (serving.some(({ said }) => said?.writable)) return [];
  return [
    {
      code: "minio.read_only",
      severity: "error",
      node: serving.map(({ member }) => member.name).join(", "),
      message: `the store is read-only: ${drives.online} of ${drives.total} drives are online, and a write needs ${quorum.write}`,
      remedy: "bring the missing nodes or drives back; writes go on by themselves",
    },
  ];
}

function nodeProblems(one: Heard, status: StoreStatus): Problem[] {
  const {
    member: { name },
    said,
  } = one;
  if (said?.state !== "serving") return [nodeDown(one, "its drives catch up by themselves")];
  const drives = status.nodes.find((node) => node.name === name)?.drives;
  // While no server tells of its drives, nothing is known of them.
  if (!drives || status.capacity === null) return ailing(name, said);
  return [...ailing(name, said), ...driveProblems(name, drives)];
}

/** Drives that are in use, and spoil that for all. */
export function ailing(name: string, { slow, full }: Pick<Published, "slow" | "full">): Problem[] {
  return [
    ...full.map((at) => ({
      code: "minio.drive_full",
      severity: "error" as const,
      node: name,
      message: `the drive at ${at} of ${name} is full: the store refuses objects, however much room the others have`,
      remedy: `delete objects (docs/minio.md says when that makes room), or what else fills it: df ${at} on ${name}`,
    })),
    ...slow.map((at) => ({
      code: "minio.drive_slow",
      severity: "warning" as const,
      node: name,
      message: `the drive at ${at} of ${name} is far slower than all others, and every object that is on it waits for it`,
      remedy: `journalctl --dmesg on ${name} says more; where the disk is failing: chime-node disk replace ${at} --disk DEV`,
    })),
  ];
}

export function driveProblems(name: string, drives: StoreNodeStatus["drives"]): Problem[] {
  const problems: Problem[] = [];
  if (drives.online < drives.total) {
    problems.push({
      code: "minio.drive_missing",
      severity: "error",
      node: name,
      message: `${drives.total - drives.online} of ${drives.total} drives of ${name} are not in use`,
      remedy: `chime-node disks on ${name} shows whether they are there`,
    });
  }
  if (drives.healing > 0) {
    problems.push({
      code: "minio.healing",
      severity: "warning",
      node: name,
      message: `${drives.healing} ${drives.healing === 1 ? "drive" : "drives"} of ${name} are being filled with what the others hold`,
      remedy: "wait; until then it counts as a drive that is missing",
    });
  }
  return problems;
}

/** What the next loss would cost more than it should. */
export function completing(heard: readonly Heard[]): Problem[] {
  const owing = heard.filter(({ said }) => said?.owes).map(({ member }) => member.name);
  if (owing.length === 0) return [];
  return [
    {
      code: "minio.completing",
      severity: "warning",
      node: owing.join(", "),
      message: "objects that were written while drives were away may be on the other drives alone",
      remedy: "wait: once all drives are there, everything is completed; until then lose no other node",
    },
  ];
}

/** A server of another build is waited for, not served with (a rolling upgrade stands still). */
export function programProblems(found: readonly StoreNodeStatus[]): Problem[] {
  const hashes = Map.groupBy(
    found.filter(({ binary_sha256 }) => binary_sha256 !== null),
    ({ binary_sha256 }) => binary_sha256,
  );
  if (hashes.size < 2) return [];
  const who = [...hashes].map(
    ([hash, of]) => `${of.map(({ name }) => name).join(", ")}: ${hash?.slice(0, 12)}`,
  );
  return [
    {
      code: "minio.programs_differ",
      severity: "error",
      node: found.map(({ name }) => name).join(", "),
      message: `the nodes run different programs (SHA-256 ${who.join("; ")})`,
      remedy: "copy the same program to roles.minio.binary on all nodes, then chime-node apply on all",
    },
  ];
}

/** Made before this program gave its bucket versions. Where an operator has said what becomes of them, that is so. */
function unversioned(node: string, bucket: string): Problem {
  return {
    code: "minio.unversioned",
    severity: "warning",
    node,
    message: `an object in ${bucket} that is being written over as a node dies may be lost, its earlier state with the new one`,
    remedy: "chime-node apply --role minio keeps earlier states for a day, which takes room: docs/minio.md",
  };
}

/** Known since before anything was formatted; said as long as it is so. */
function layoutProblems(node: string, quorum: Quorum): Problem[] {
  const found = quorumWarning(quorum);
  return found ? [{ code: "minio.margin", severity: "warning", node, ...found }] : [];
}
