import { readFile } from "node:fs/promises";
import { ipv4Bytes } from "./ipv4.ts";

/** A TCP connection of this machine. */
export interface Connection {
  local: { address: string; port: number };
  remote: { address: string; port: number };
}

/** On a network that loses frames one retransmission is common, two of the same bytes are not. */
const inVain = 2;

/**
 * Whether bytes on a connection from `localPort` to `remote` were sent again and again without being acknowledged:
 * the machine at the other end, or the way to it, is gone. Pure: the text of /proc/net/tcp (proc_net_tcp.txt).
 */
export function parseStalled(procNetTcp: string, localPort: number, remote: string): boolean {
  const word = kernelWord(remote);
  const port = localPort.toString(16).toUpperCase().padStart(4, "0");
  return procNetTcp.split("\n").some((line) => {
    const [, local = "", peer = "", , queues = "", , retransmitted = "0"] = line.trim().split(/\s+/);
    const unacknowledged = Number.parseInt(queues.split(":")[0] ?? "", 16);
    return (
      local.endsWith(`:${port}`) &&
      peer.startsWith(`${word}:`) &&
      unacknowledged > 0 &&
      Number.parseInt(retransmitted, 16) >= inVain
    );
  });
}

/** Connections to an address of this machine that its programs have or that still carry bytes. Pure: the text of /proc/net/tcp. */
export function parseConnections(procNetTcp: string, address: string, limit: number): Connection[] {
  const word = kernelWord(address);
  const found: Connection[] = [];
  for (const line of procNetTcp.split("\n")) {
    if (found.length >= limit) break;
    const [, local = "", remote = "", state = ""] = line.trim().split(/\s+/);
    if (!carrying.has(state) || !local.startsWith(`${word}:`)) continue;
    found.push({ local: { address, port: hex(local.slice(9)) }, remote: endpoint(remote) });
  }
  return found;
}

/** The kernel's TCP_ESTABLISHED, FIN_WAIT1 (closed here, and not all acknowledged), CLOSE_WAIT and LAST_ACK. */
const carrying: ReadonlySet<string> = new Set(["01", "04", "08", "09"]);

/** Addresses are printed as the kernel's native word, ports as they are. */
function kernelWord(address: string): string {
  return Buffer.from(ipv4Bytes(address).toReversed()).toString("hex").toUpperCase();
}

function endpoint(text: string): Connection["remote"] {
  const [word = "", port = ""] = text.split(":");
  return { address: Buffer.from(word, "hex").toReversed().join("."), port: hex(port) };
}

function hex(text: string): number {
  return Number.parseInt(text, 16);
}

/** The same of this machine now, at most so many. */
export async function connectionsTo(address: string, limit: number): Promise<Connection[]> {
  return parseConnections(await readFile("/proc/net/tcp", "utf8"), address, limit);
}

export async function isStalled(localPort: number, remote: string): Promise<boolean> {
  return parseStalled(await readFile("/proc/net/tcp", "utf8"), localPort, remote);
}
