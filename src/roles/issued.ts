import { issueServiceCertificate, readServiceAuthority } from "../cluster/identity.ts";
import { paths } from "../core/paths.ts";
import { certificate, type CertificateOptions } from "../resources/certificate.ts";
import type { FileResource } from "../resources/file.ts";

/** A service's key and certificate by the cluster's CA; the first of the subjects is its name, unless it has another one. */
export function issuedCertificate({
  called,
  ...options
}: Omit<CertificateOptions, "authority" | "issue"> & { called?: string }): FileResource {
  const [first = "", ...others] = options.subjects;
  const name = called ?? first;
  return certificate({
    ...options,
    // Empty outside of a cluster, where nothing is applied.
    authority: readServiceAuthority(paths.pki) ?? { trusted: "", signer: "" },
    issue: () =>
      issueServiceCertificate(paths.pki, {
        name,
        addresses: called === undefined ? others : options.subjects,
      }),
  });
}

/** The certificates of the CAs that the cluster's services may have theirs from, PEM. Undefined outside of a cluster. */
export function clusterAuthority(): string | undefined {
  return readServiceAuthority(paths.pki)?.trusted;
}
