import { readFileSync } from "node:fs";
import { issueServiceCertificate } from "../cluster/identity.ts";
import { paths } from "../core/paths.ts";
import { certificate, type CertificateOptions } from "../resources/certificate.ts";
import type { FileResource } from "../resources/file.ts";

/** A service's key and certificate by the cluster's CA; the first of the subjects is its name. */
export function issuedCertificate(options: Omit<CertificateOptions, "ca" | "issue">): FileResource {
  const [name = "", ...addresses] = options.subjects;
  return certificate({
    ...options,
    ca: clusterAuthority() ?? "",
    issue: () => issueServiceCertificate(paths.pki, { name, addresses }),
  });
}

let known: string | undefined;

/** The CA's certificate, PEM. Read once: a node has one CA. Undefined outside of a cluster. */
export function clusterAuthority(): string | undefined {
  try {
    return (known ??= readFileSync(`${paths.pki}/ca.crt`, "utf8"));
  } catch {
    return undefined;
  }
}
