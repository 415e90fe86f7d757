import { systemClock } from "../core/clock.ts";
import { agentPort } from "../core/paths.ts";
import type { RoleLimit } from "./admission.ts";
import type { ClusterFiles } from "./files.ts";
import { HeldKeys } from "./gossip/held-keys.ts";
import { KeyRotation } from "./gossip/key-rotation.ts";
import { Wire, type WireKeys } from "./gossip/wire.ts";
import { AuthorityRotation } from "./authority-rotation.ts";
import {
  loadCredentials,
  saveCertificate,
  saveKeyRing,
  saveRollover,
  withRollover,
  type RolloverChange,
} from "./identity.ts";
import { ClusterMembership } from "./membership.ts";
import { Renewal } from "./renewal.ts";
import { SecretStore } from "./secret-store.ts";
import { fileStore } from "./store.ts";
import { isIssuedBy } from "./trust.ts";
import { TlsTransport } from "./tls-transport.ts";
import type { OpenPackets } from "./transport.ts";
import type { Identity } from "./types.ts";

export interface OpenClusterOptions {
  files: ClusterFiles;
  binaryVersion: string;
  /** Undefined: there is no such role. */
  roleLimit: (role: string) => RoleLimit | undefined;
  /** Throws where this version cannot work by the text of a cluster.toml. */
  checkSpec: (toml: string) => void;
  /** Has this node's services go by the CAs that it holds; rejects where they do not. */
  services: () => Promise<void>;
  /** Throws where a member's services could not follow a rotation of the CA. */
  requireAble: () => void;
  /** Address to listen on; all by default. */
  host?: string;
  port?: number;
}

export interface OpenCluster {
  identity: Identity;
  membership: ClusterMembership;
  secrets: SecretStore;
  /** Keeps this node's certificate in its time. */
  renewal: Renewal;
  /** Keeps gossip's keys the same on all members. */
  keyRotation: KeyRotation;
  /** Puts another CA in the place of the cluster's; to be started. */
  authorityRotation: AuthorityRotation;
  /** Goes silent, does not leave. */
  stop(): Promise<void>;
}

/**
 * Takes up this node's part in its cluster, over TLS. Undefined when it is in none.
 * @throws ChimeError `identity.damaged`, `state.damaged`, `secrets.unreadable`, `agent.port_taken`
 */
export async function openCluster(options: OpenClusterOptions): Promise<OpenCluster | undefined> {
  const {
    files,
    binaryVersion,
    roleLimit,
    checkSpec,
    services,
    requireAble,
    host = "0.0.0.0",
    port = agentPort,
  } = options;
  let credentials = await loadCredentials(files.pki);
  if (!credentials) return undefined;
  const secrets = await SecretStore.load(files.secrets);
  const current = () => credentials as NonNullable<typeof credentials>;
  const transport = new TlsTransport(current, host, port);
  const keys = new HeldKeys(current().keyRing, () => systemClock.now());
  const membership = await ClusterMembership.start({
    credentials: current,
    secrets: () => secrets.all,
    store: fileStore(files.state),
    transport,
    packets: openWire({ cluster: current().identity.cluster.id, keys, host, port }),
    clock: systemClock,
    random: Math.random,
    binaryVersion,
    roleLimit,
    checkSpec,
    port,
  });
  async function hold(change: RolloverChange): Promise<void> {
    await saveRollover(files.pki, current(), change);
    credentials = withRollover(current(), change);
    transport.refresh();
  }
  const renewal = new Renewal({
    certificate: () => current().next?.certificate ?? current().certificate,
    ask: () => membership.renewCertificate(),
    async take(certificate) {
      const { rollover, next } = current();
      // By the CA that comes: its own file, until that one is there alone.
      if (rollover && next && isIssuedBy(certificate, rollover.after))
        return await hold({ next: { certificate } });
      await saveCertificate(files.pki, certificate);
      credentials = { ...current(), certificate };
      transport.refresh();
    },
    clock: systemClock,
  });
  const authorityRotation = new AuthorityRotation({
    credentials: current,
    save: hold,
    services,
    requireAble,
    membership,
    clock: systemClock,
  });
  const keyRotation = new KeyRotation({
    keys,
    async save(keyRing) {
      await saveKeyRing(files.pki, keyRing);
      credentials = { ...current(), keyRing };
    },
    credentials: current,
    membership,
    clock: systemClock,
  });
  return {
    identity: current().identity,
    membership,
    secrets,
    renewal,
    keyRotation,
    authorityRotation,
    async stop() {
      renewal.stop();
      keyRotation.stop();
      authorityRotation.stop();
      await membership.stop();
    },
  };
}

interface WirePlace {
  /** The cluster's id. */
  cluster: string;
  keys: WireKeys;
  host: string;
  port: number;
}

/** Gossip's packets as sealed datagrams, at the port that agents have for TCP. */
function openWire({ cluster, keys, host, port }: WirePlace): OpenPackets {
  return (options) => {
    const clock = { wall: () => systemClock.wall(), now: () => systemClock.now() };
    const wire = new Wire({ ...options, ...clock, cluster, keys });
    return {
      listen: () => wire.listen(host, port),
      send: (to, packet) => wire.send(to, packet),
      forget: () => wire.forget(),
      get refused() {
        return { ...wire.refused, flood: wire.floods };
      },
      get obstacle() {
        return wire.obstacle;
      },
      close: () => wire.close(),
    };
  };
}
