import { rm } from "node:fs/promises";
import { agentUnit } from "../agent/resources.ts";
import { requireWord } from "../agent/failover.ts";
import { callAgent } from "../agent/socket.ts";
import { clusterFiles } from "../cluster/files.ts";
import { hasLeft } from "../cluster/store.ts";
import type { Identity, RoleName } from "../cluster/types.ts";
import { ChimeError, failed, refused, usageError } from "../core/errors.ts";
import { withLock } from "../core/lock.ts";
import { paths } from "../core/paths.ts";
import { letAllThrough } from "../host/cut-off.ts";
import { systemctl } from "../host/systemd.ts";
import { openLedger } from "../plan/ledger.ts";
import { undoAll } from "../plan/reset.ts";
import { kinds } from "../resources/index.ts";
import { roleKinds } from "../roles/index.ts";
import { closeGates } from "../vip/track.ts";
import type { Removable } from "../agent/removal.ts";
import type { ClusterView } from "./context.ts";
import { requireIdentity, requireRoot } from "./context.ts";
import { failOverTo } from "./failover.ts";
import type { Io } from "./io.ts";
import { warnOfLoss } from "./leave-loss.ts";

/**
 * A guard that still ran would start again what is being taken down. Its last word to keepalived is no: whatever comes
 * between now and keepalived's end, no VIP comes to a node that nobody watches. Machines that it had cut off may be
 * connected to again.
 */
export async function stopAgent(): Promise<void> {
  await systemctl("stop", agentUnit);
  closeGates();
  // One that was killed has not done so itself.
  await letAllThrough();
}

/** Hands over, says goodbye to the cluster, stops this node's services. Packages, configuration and data stay. */
export async function leaveCluster(io: Io): Promise<{ node: string; cluster: string }> {
  requireRoot();
  const identity = await requireIdentity();
  const { cluster, self } = identity;
  await warnOfLoss(self.name, io);
  if (!(await io.confirm(`Take ${self.name} out of the cluster ${cluster.name} and stop its services?`))) {
    throw declined();
  }
  return withLock("apply", "leave", async () => {
    await sayGoodbye(identity, io);
    await stopAgent();
    await undoAll(await openLedger(), [...kinds, ...roleKinds], io, (id) => id.startsWith("service:"));
    await rm(clusterFiles.pki, { recursive: true, force: true });
    // Whoever joins again follows; what it remembers of who wrote, and of this cluster, is over.
    for (const path of [
      paths.terms,
      paths.history,
      paths.maintenance,
      paths.minioSlot,
      paths.minioOwes,
      paths.minioMirror,
      paths.minioTrust,
      paths.minioRestart,
    ]) {
      await rm(path, { recursive: true, force: true });
    }
    return { node: self.name, cluster: cluster.name };
  });
}

/**
 * Takes another node, which must be dead, out of the cluster. Of one that may hold what clients were told of and no
 * other has, only with the cluster's name as `acceptLoss`; what it wrote goes to another node first. Of two that share a
 * name or an address one is somebody else's, which lives, and hands nothing over.
 * @param node its name, or NAME:INDEX, for one of two of a name
 * @throws ChimeError `remove.self`, `remove.alive`, `remove.possible_writer`, `failover.wrong_cluster` (exit 3),
 *   `member.unknown`, and of the failover
 */
export async function removeNode(
  node: string,
  acceptLoss: string | undefined,
  io: Io,
): Promise<{ node: string }> {
  requireRoot();
  const { self, cluster } = await requireIdentity();
  requireWord(cluster, acceptLoss ?? null);
  const { members } = await callAgent<ClusterView>("cluster");
  const whom = await callAgent<Removable>("remove.whom", { node });
  const { name } = whom;
  if (whom.index === self.index) {
    throw usageError("remove.self", `${name} is this node`, "chime-node leave, or chime-node reset");
  }
  const state = members.find((member) => member.index === whom.index && !member.left)?.state;
  if (!whom.isContested && (state === "alive" || state === "suspect")) {
    // It would go on serving until it hears of it, and nobody would have handed anything over.
    throw refused("remove.alive", `${name} is alive`, `chime-node leave on ${name}; it hands over first`);
  }
  // Of two of a name all go by one, which `members` has: what is said to hold rows is that one.
  const held = state === undefined ? [] : await callAgent<RoleName[]>("remove.holds", { node: name });
  if (held.length > 0 && acceptLoss === undefined) {
    throw refused(
      "remove.possible_writer",
      `${name} may hold ${held.join(", ")} rows that clients were told of and no other node has`,
      `bring it back; or accept the loss: chime-node remove ${node} --accept-loss=${cluster.name}`,
    );
  }
  if (!(await io.confirm(`Remove ${node} (${whom.address})? Its certificate will be refused from then on.`)))
    throw declined();
  for (const role of held) await takeFrom(name, role, members, cluster.name, io);
  await callAgent("remove", { node });
  return { node };
}

/** Another node that lives becomes the writer by the operator's word. Where there is none, nobody writes without it anyway. */
async function takeFrom(
  name: string,
  role: RoleName,
  members: ClusterView["members"],
  acceptLoss: string,
  io: Io,
): Promise<void> {
  const heir = members.find((m) => m.name !== name && m.roles.includes(role) && m.state === "alive");
  if (heir) await failOverTo({ to: heir.name, acceptLoss, dryRun: false }, io);
}

/**
 * Hands every role over to a peer and tells the members that this node leaves.
 * @throws ChimeError `leave.no_handover` when a peer with the role lives but cannot take over
 */
export async function sayGoodbye({ cluster, self }: Identity, io: Io): Promise<void> {
  let view: ClusterView;
  try {
    view = await callAgent<ClusterView>("cluster", {}, { signal: io.signal });
  } catch (error) {
    if (!(error instanceof ChimeError && error.code === "agent.not_running")) throw error;
    // A run that was interrupted after it had told them.
    if (await hasLeft(clusterFiles.state, self)) return;
    io.warn(
      `the agent does not run: ${cluster.name} is not told. On another member: chime-node remove ${self.name}`,
    );
    return;
  }
  for (const role of rolesToHandOver(view, self)) await handOver(role, view, self.name, io);
  io.progress(`telling the members of ${cluster.name} that ${self.name} leaves`);
  await callAgent("leave", {}, { signal: io.signal });
}

/** None where an interrupted run has told the members already: from then on this node hears nobody. Pure. */
export function rolesToHandOver(
  { members }: Pick<ClusterView, "members">,
  self: Pick<Identity["self"], "name" | "index">,
): readonly RoleName[] {
  const mine = members.find(({ name, index }) => name === self.name && index === self.index);
  return mine === undefined || mine.state === "left" ? [] : mine.roles;
}

async function handOver(role: string, view: ClusterView, self: string, io: Io): Promise<void> {
  const heirs = view.members.filter((m) => m.name !== self && m.state === "alive" && m.roles.includes(role));
  if (heirs.length === 0) {
    if (role !== "witness") io.warn(`no other node serves ${role}: it stops with this one`);
    return;
  }
  io.progress(`handing ${role} over to ${heirs.map((m) => m.name).join(", ")}`);
  try {
    await callAgent(
      "role.command",
      { role, method: "handover", params: {} },
      { timeoutMs: 60_000, signal: io.signal },
    );
  } catch (error) {
    if (error instanceof ChimeError && error.code === "role.not_here") return;
    const why = error instanceof Error ? error.message : String(error);
    // Not exit 3: the writer may have become read-only before it failed.
    throw failed("leave.no_handover", `${role} cannot be handed over: ${why}`, {
      remedy: "chime-node status; stop this node only when the other one is level",
      cause: error,
    });
  }
}

export function declined(): ChimeError {
  return usageError("declined", "nothing was changed");
}
