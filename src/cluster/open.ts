import { X509Certificate } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { agentPort } from "../core/paths.ts";
import type { Secrets } from "../spec/types.ts";
import type { RoleLimit } from "./admission.ts";
import type { ClusterFiles } from "./files.ts";
import { loadCredentials, saveCertificate } from "./identity.ts";
import { ClusterMembership } from "./membership.ts";
import { loadSecrets } from "./secrets.ts";
import { fileStore } from "./store.ts";
import { TlsTransport } from "./tls-transport.ts";
import type { Identity } from "./types.ts";

const dayMs = 86_400_000;
/** A third of a certificate's life: whoever restarts an agent once in eight months never sees one expire. */
const renewBeforeMs = 243 * dayMs;

export interface OpenClusterOptions {
  files: ClusterFiles;
  binaryVersion: string;
  /** Undefined: there is no such role. */
  roleLimit: (role: string) => RoleLimit | undefined;
  /** Throws where this version cannot work by the text of a cluster.toml. */
  checkSpec: (toml: string) => void;
  /** Address to listen on; all by default. */
  host?: string;
  port?: number;
}

export interface OpenCluster {
  identity: Identity;
  membership: ClusterMembership;
  secrets: Secrets;
  /** Goes silent, does not leave. */
  stop(): Promise<void>;
}

/**
 * Takes up this node's part in its cluster, over TLS. Undefined when it is in none.
 * @throws ChimeError `identity.damaged`, `state.damaged`, `secrets.unreadable`, `agent.port_taken`
 */
export async function openCluster(options: OpenClusterOptions): Promise<OpenCluster | undefined> {
  const { files, binaryVersion, roleLimit, checkSpec, host, port = agentPort } = options;
  let credentials = await loadCredentials(files.pki);
  if (!credentials) return undefined;
  const secrets = await loadSecrets(files.secrets);
  const current = () => credentials as NonNullable<typeof credentials>;
  const membership = await ClusterMembership.start({
    credentials: current,
    secrets: () => secrets,
    store: fileStore(files.state),
    transport: new TlsTransport(current, host, port),
    clock: systemClock,
    random: Math.random,
    binaryVersion,
    roleLimit,
    checkSpec,
    port,
  });
  const renew = async () => {
    const expiry = Date.parse(new X509Certificate(current().certificate).validTo);
    if (expiry - Date.now() > renewBeforeMs) return;
    const certificate = await membership.renewCertificate();
    await saveCertificate(files.pki, certificate);
    credentials = { ...current(), certificate };
    log.info("this node's certificate was renewed");
  };
  const tryRenew = () =>
    renew().catch((error: unknown) => log.warn("certificate not renewed, again in a day:", error));
  void tryRenew();
  const daily = setInterval(() => void tryRenew(), dayMs);
  return {
    identity: current().identity,
    membership,
    secrets,
    async stop() {
      clearInterval(daily);
      await membership.stop();
    },
  };
}
