import { appendFile } from "node:fs/promises";
import type { Trust } from "../../bundle/read.ts";
import type { PublicKey } from "../../bundle/keys.ts";
import { clusterFiles } from "../../cluster/files.ts";
import { loadIdentity } from "../../cluster/identity.ts";
import { callAgent } from "../../agent/socket.ts";
import { build } from "../../core/build.ts";
import { paths } from "../../core/paths.ts";
import { makePrivateDirectory, readText } from "../../host/files.ts";
import { parseSpec } from "../../spec/load.ts";
import type { Spec } from "../../spec/types.ts";
import type { ClusterView } from "../context.ts";

/**
 * Whose bundles this node takes: the release's, those that were given here, those of the cluster; but none it revoked.
 * @param cluster of its spec; undefined where this node is in none
 */
export async function trustHere(cluster: Spec["cluster"] | undefined): Promise<Trust> {
  return {
    keys: [...build.trustedKeys, ...(await givenKeys()), ...(cluster?.trustedKeys ?? [])],
    revoked: cluster?.revokedKeys ?? [],
  };
}

/** Keys that were trusted on this node itself. */
export async function givenKeys(): Promise<PublicKey[]> {
  return ((await readText(paths.trustedKeys)) ?? "").split("\n").filter((line) => line !== "");
}

export async function rememberKeys(keys: readonly PublicKey[]): Promise<void> {
  const known = new Set(await givenKeys());
  const more = keys.filter((key) => !known.has(key));
  if (more.length === 0) return;
  await makePrivateDirectory(paths.state);
  await appendFile(paths.trustedKeys, more.map((key) => `${key}\n`).join(""), { mode: 0o600 });
}

export async function clusterSpec(): Promise<Spec["cluster"] | undefined> {
  if (!(await loadIdentity(clusterFiles.pki))) return undefined;
  const { spec } = await callAgent<ClusterView>("cluster");
  return parseSpec(spec.toml, paths.clusterToml).cluster;
}
