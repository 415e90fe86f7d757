import type { VipInstance } from "./instances.ts";
import { notifyFifo } from "./fifo.ts";

/** keepalived's version as major, minor, patch: decides which words its configuration may use. */
export type KeepalivedVersion = readonly [number, number, number];

/**
 * Adverts every 0.1 s. Seven missed ones make a takeover: 0.75 s after a cut, and with 10 % of the packets lost one
 * false move in ten million (three missed ones: 0.35 s and one in a thousand).
 */
const fastAdverts = { intervalMs: 100, down: 7 };
/** Before `down_timer_adverts` (2.2.3) it is always three adverts and a skew (RFC 9568 §6.1): 0.85 s at 0.25 s. */
const slowAdverts = { intervalMs: 250, down: undefined };

/** Of a keepalived that knows `down_timer_adverts`, or does not. */
export function advertsOf(version: KeepalivedVersion): { intervalMs: number; down: number | undefined } {
  return atLeast(version, [2, 2, 3]) ? fastAdverts : slowAdverts;
}

/**
 * Stands in for the peer of a node that is alone. Without any peer keepalived falls back to multicast in silence;
 * adverts to the loopback address leave no node.
 */
const noPeer = "127.0.0.1";

/** Linux limits an address label, `INTERFACE:TEXT`, to 15 characters (IFNAMSIZ). */
const labelLength = 15;

export const configPath = "/etc/keepalived/keepalived.conf";

/** How its first line begins: the check `keepalived.foreign` tells ours from another's by it. */
export const configMarker = "# Written by chime-node";

/**
 * keepalived.conf for these instances, in the dialect of 2.1.5 with newer words by version (keepalived.conf(5)).
 * Pure: the same input gives the same bytes.
 */
export function renderKeepalived(
  node: { name: string; clusterId: string; version: KeepalivedVersion },
  instances: readonly VipInstance[],
): string {
  const adverts = advertsOf(node.version);
  return [
    `${configMarker} for cluster ${node.clusterId}; changes made by hand are undone by \`chime-node apply\`.`,
    "global_defs {",
    `    router_id ${node.name}`,
    "    enable_script_security",
    "    script_user root",
    `    vrrp_notify_fifo ${notifyFifo} root root`,
    // Neighbours that missed the first gratuitous ARPs learn the way within a minute.
    "    vrrp_garp_master_refresh 60",
    "    vrrp_garp_lower_prio_repeat 1",
    // After a cut healed: makes the node that stays master send its gratuitous ARPs again, last.
    "    vrrp_higher_prio_send_advert true",
    "    max_auto_priority 99",
    "}",
    ...instances.flatMap((instance) => renderInstance(instance, adverts)),
    "",
  ].join("\n");
}

function renderInstance(instance: VipInstance, adverts: ReturnType<typeof advertsOf>): string[] {
  const peers = instance.peers.length > 0 ? instance.peers : [noPeer];
  const label = `${instance.interface}:${instance.name}`.slice(0, labelLength);
  const labelled = label.length > instance.interface.length + 1 ? ` label ${label}` : "";
  return [
    "",
    `track_file ${instance.name} {`,
    `    file "${instance.trackFile}"`,
    // `reverse`: only a written number makes the node eligible; 0, an empty and a missing file mean FAULT.
    "    weight 0 reverse",
    "}",
    `vrrp_instance ${instance.name} {`,
    "    state BACKUP",
    "    nopreempt",
    "    version 3",
    `    interface ${instance.interface}`,
    `    virtual_router_id ${instance.virtualRouterId}`,
    `    priority ${instance.priority}`,
    `    advert_int ${adverts.intervalMs / 1_000}`,
    ...(adverts.down === undefined ? [] : [`    down_timer_adverts ${adverts.down}`]),
    `    unicast_src_ip ${instance.source}`,
    "    check_unicast_src",
    "    unicast_peer {",
    ...peers.map((peer) => `        ${peer}`),
    "    }",
    "    virtual_ipaddress {",
    `        ${instance.address} dev ${instance.interface}${labelled}`,
    "    }",
    "    track_file {",
    `        ${instance.name}`,
    "    }",
    "}",
  ];
}

/** Of `2.2.7`; unknown means the oldest dialect. */
export function parseVersion(text = "2.1.5"): KeepalivedVersion {
  const [major = 0, minor = 0, patch = 0] = text.split(".").map(Number);
  return [major, minor, patch];
}

function atLeast(version: KeepalivedVersion, least: KeepalivedVersion): boolean {
  for (const [i, part] of version.entries()) {
    const other = least[i] ?? 0;
    if (part !== other) return part > other;
  }
  return true;
}

/** The addresses whose adverts an instance of this node hears, by its configuration on disk. */
export async function readPeers(instance: string): Promise<string[]> {
  const file = Bun.file(configPath);
  return (await file.exists()) ? peersIn(await file.text(), instance) : [];
}

/** The peers that a configuration of ours gives an instance; none where it has no such instance. */
export function peersIn(config: string, instance: string): string[] {
  const at = config.indexOf(`\nvrrp_instance ${instance} {`);
  const block = at < 0 ? undefined : /\n {4}unicast_peer \{\n([^}]*)\}/.exec(config.slice(at));
  const peers = block?.[1]?.split("\n").map((line) => line.trim()) ?? [];
  return peers.filter((peer) => peer !== "" && peer !== noPeer);
}
