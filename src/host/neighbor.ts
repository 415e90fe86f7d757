import { readFileSync } from "node:fs";

/** ATF_COM (linux/if_arp.h): the neighbor's hardware address is known. */
const complete = 0x2;

/**
 * Whether the kernel has asked for this IPv4 address on a network of its own and nobody answered. Pure: the text of
 * /proc/net/arp (proc(5)).
 */
export function isSilent(procNetArp: string, address: string): boolean {
  const [, , flags] =
    procNetArp
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .find(([known]) => known === address) ?? [];
  return flags !== undefined && (Number.parseInt(flags, 16) & complete) === 0;
}

/**
 * The same, now. The runtime calls each failed connect(2) ECONNREFUSED (Bun 1.4.5), EHOSTUNREACH as well; this tells
 * them apart for machines of one network. One beyond a gateway is never silent here.
 */
export function isSilentNeighbor(address: string): boolean {
  return isSilent(readFileSync("/proc/net/arp", "utf8"), address);
}
