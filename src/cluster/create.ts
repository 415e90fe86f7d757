import { randomBytes } from "node:crypto";
import { refused } from "../core/errors.ts";
import { signAdmission } from "./admission.ts";
import type { ClusterFiles } from "./files.ts";
import { firstRing } from "./gossip/keyring.ts";
import { joinKey, loadIdentity, saveCredentials } from "./identity.ts";
import { certifyNode, createAuthority } from "./pki.ts";
import { ensureSecrets, loadSecrets, saveSecrets } from "./secrets.ts";
import { signSpec } from "./spec-document.ts";
import { fileStore } from "./store.ts";
import type { Identity } from "./types.ts";

export interface CreateClusterOptions {
  /** From `newClusterId`: virtual router ids derive from it, so it is checked before the cluster is made. */
  id: string;
  /** The cluster's name, as in cluster.toml. */
  name: string;
  node: { name: string; address: string };
  /** The text of cluster.toml: version 1 of the spec. */
  toml: string;
  /** Every known role's secrets, generated now and shared with whoever joins. */
  roleSecrets: Readonly<Record<string, readonly string[]>>;
}

export function newClusterId(): string {
  return randomBytes(8).toString("hex");
}

/**
 * Makes a cluster with this node as its first member. Killed half-way it has made none, and can be run again.
 * @throws ChimeError `cluster.exists` (exit 3)
 */
export async function createCluster(files: ClusterFiles, options: CreateClusterOptions): Promise<Identity> {
  const { node } = options;
  const existing = await loadIdentity(files.pki);
  if (existing) {
    throw refused(
      "cluster.exists",
      `this node already belongs to cluster ${existing.cluster.name} (${existing.cluster.id}) as ${existing.self.name}`,
      "chime-node status; to start afresh: chime-node reset",
    );
  }
  const cluster = { name: options.name, id: options.id };
  const identity: Identity = { cluster, self: { ...node, index: 1 } };
  const now = Date.now();
  const authority = createAuthority(cluster, now);
  const key = await joinKey(files.pki);
  const self = { name: node.name, index: 1, address: node.address, publicKey: key.publicKey };
  const admission = signAdmission(authority.key, cluster.id, {
    ...self,
    witness: false,
    roles: [],
    left: false,
  });
  const spec = signSpec(key.privateKey, cluster.id, { version: 1, toml: options.toml, publisher: node.name });
  await saveSecrets(files.secrets, ensureSecrets(await loadSecrets(files.secrets), options.roleSecrets));
  await fileStore(files.state).save({
    incarnation: 0,
    state: { admissions: [admission], records: [], tokens: [], spec },
  });
  await saveCredentials(files.pki, {
    identity,
    ca: authority.cert,
    caKey: authority.key,
    certificate: certifyNode(authority, cluster, self, now),
    key,
    keyRing: firstRing(randomBytes(32).toString("base64")),
  });
  return identity;
}
