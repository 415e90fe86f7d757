import { readFileSync } from "node:fs";
import { issueServiceCertificate } from "../../cluster/identity.ts";
import { exec } from "../../core/exec.ts";
import { paths } from "../../core/paths.ts";
import { showUnit } from "../../host/systemd.ts";
import { certificate, type CertificateOptions } from "../../resources/certificate.ts";
import type { FileResource } from "../../resources/file.ts";
import type { RoleContext } from "../types.ts";
import { minioSpec, slotName, type Layout } from "./layout.ts";

/** What the engine looks for below `--certs-dir`; it trusts what is in `CAs`. */
export const certificates = "/etc/chime-node-minio/certs";
const serverFiles = {
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
  return issued(context, {
    name: "minio",
    owner: user,
    paths: serverFiles,
    needs,
    reload: () => rereads(unit),
  });
}

/** Of this node's balancer, which reads them as root. */
export function balancerCertificate(context: RoleContext): FileResource {
  return issued(context, { name: "minio-balancer", paths: balancerFiles });
}

function issued(
  context: RoleContext,
  options: Pick<CertificateOptions, "name" | "owner" | "paths" | "needs" | "reload">,
): FileResource {
  const subjects = subjectsOf(context);
  const [name = "", ...addresses] = subjects;
  return certificate({
    ...options,
    subjects,
    ca: authority() ?? "",
    issue: () => issueServiceCertificate(paths.pki, { name, addresses }),
  });
}

/** It looks at files that are written to, and ours are put in place whole: it has to be told [tried]. */
async function rereads(unit: string): Promise<void> {
  if ((await showUnit(unit)).active !== "active") return;
  await exec(["systemctl", "kill", "--kill-who=main", "--signal=HUP", unit], { timeoutMs: 5_000 });
}

/** The CA that a store's servers have their certificates from; undefined where they speak plain HTTP. */
export function authorityOf({ spec }: Pick<RoleContext, "spec">): string | undefined {
  return minioSpec({ spec }).tls ? authority() : undefined;
}

let known: string | undefined;

/** Read once: a node has one CA. Undefined outside of a cluster. */
function authority(): string | undefined {
  try {
    return (known ??= readFileSync(`${paths.pki}/ca.crt`, "utf8"));
  } catch {
    return undefined;
  }
}

/** `http`, or `https` where the store speaks TLS. */
export const schemeOf = ({ spec }: Pick<RoleContext, "spec">): "http" | "https" =>
  minioSpec({ spec }).tls ? "https" : "http";
