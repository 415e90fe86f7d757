import { buildContext } from "../agent/context.ts";
import { callAgent } from "../agent/socket.ts";
import { clusterFiles } from "../cluster/files.ts";
import { loadIdentity } from "../cluster/identity.ts";
import { loadSecrets } from "../cluster/secrets.ts";
import type { Identity, MemberView, SpecDocument } from "../cluster/types.ts";
import { refused, usageError } from "../core/errors.ts";
import { paths } from "../core/paths.ts";
import { readFacts, type Facts } from "../host/facts.ts";
import type { RoleContext } from "../roles/types.ts";

/** What the agent tells of the cluster, for a command on the same node. */
export interface ClusterView {
  members: MemberView[];
  spec: SpecDocument;
}

/** @throws ChimeError `node.not_root` */
export function requireRoot(): void {
  if (process.getuid?.() !== 0) {
    throw usageError("node.not_root", "this needs root", "run the same command with sudo");
  }
}

/** systemd starts the agent from the fixed path, so that is where the binary has to be. @throws ChimeError `node.not_installed` */
export function requireInstalled(binary: string): void {
  if (binary !== paths.binary) {
    throw usageError(
      "node.not_installed",
      `the agent runs from ${paths.binary}, but this is ${binary}`,
      `sh install.sh --binary ${binary}`,
    );
  }
}

/** @throws ChimeError `node.no_cluster` */
export async function requireIdentity(): Promise<Identity> {
  const identity = await loadIdentity(clusterFiles.pki);
  if (identity) return identity;
  throw refused(
    "node.no_cluster",
    "this node is in no cluster",
    "chime-node init, or chime-node join --role ROLE",
  );
}

/** Everything that plan and apply derive the node's resources from, read afresh. */
export async function readContext(facts?: Facts): Promise<{ context: RoleContext; view: ClusterView }> {
  requireRoot();
  const identity = await requireIdentity();
  const [secrets, found, view] = await Promise.all([
    loadSecrets(clusterFiles.secrets),
    facts ?? readFacts(),
    callAgent<ClusterView>("cluster"),
  ]);
  return { view, context: buildContext({ identity, secrets, facts: found, ...view }) };
}
