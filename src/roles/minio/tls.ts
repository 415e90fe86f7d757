import { exec } from "../../core/exec.ts";
import { showUnit } from "../../host/systemd.ts";
import type { FileResource } from "../../resources/file.ts";
import { clusterAuthority, issuedCertificate } from "../issued.ts";
import type { RoleContext } from "../types.ts";
import { minioSpec, slotName, type Layout } from "./layout.ts";

/** What the engine looks for below `--certs-dir`; it trusts what was in `CAs` when it started [tried]. */
export const certificates = "/etc/chime-node-minio/certs";
export const serverFiles = {
  cert: `${certificates}/public.crt`,
  key: `${certificates}/private.key`,
  ca: `${certificates}/CAs/ca.crt`,
};
/** The CA's certificate, for clients of this store. */
export const authorityFile = serverFiles.ca;

/** Those of the balancer, in which clients find the VIP; the key is looked for beside the certificate (haproxy: `crt`). */
export const balancerFiles = {
  cert: "/etc/haproxy/chime-node-minio.pem",
  key: "/etc/haproxy/chime-node-minio.pem.key",
  ca: "/etc/haproxy/chime-node-ca.pem",
};

/** By what a server is called by others: its node's name, its address, its place in the layout, which it gets later. */
function subjectsOf({ self, spec }: RoleContext): string[] {
  const { nodes, topology, vip } = minioSpec({ spec });
  const { domain } = spec.cluster;
  const count = topology === "pool" ? nodes : 0;
  const places = Array.from({ length: count }, (_, i) => slotName(i + 1, domain));
  return [`${self.name}.${domain}`, self.address, vip.address, ...places];
}

/** Key and certificate of this node's server. */
export function serverCertificate(
  context: RoleContext,
  { unit, user }: Layout["product"],
  needs: readonly string[],
): FileResource {
  return issuedCertificate({
    name: "minio",
    owner: user,
    paths: serverFiles,
    subjects: subjectsOf(context),
    needs,
    reload: () => reread(unit),
  });
}

/** Of this node's balancer, which reads them as root. */
export function balancerCertificate(context: RoleContext): FileResource {
  return issuedCertificate({ name: "minio-balancer", paths: balancerFiles, subjects: subjectsOf(context) });
}

/** It looks at files that are written to, and ours are put in place whole: it has to be told [tried]. */
export async function reread(unit: string): Promise<void> {
  if ((await showUnit(unit)).active !== "active") return;
  await exec(["systemctl", "kill", "--kill-who=main", "--signal=HUP", unit], { timeoutMs: 5_000 });
}

/** The CA that a store's servers have their certificates from; undefined where they speak plain HTTP. */
export function authorityOf({ spec }: Pick<RoleContext, "spec">): string | undefined {
  return minioSpec({ spec }).tls ? clusterAuthority() : undefined;
}

/** `http`, or `https` where the store speaks TLS. */
export const schemeOf = ({ spec }: Pick<RoleContext, "spec">): "http" | "https" =>
  minioSpec({ spec }).tls ? "https" : "http";
