import { readFile } from "node:fs/promises";
import { exec } from "../core/exec.ts";

/**
 * Every address this kernel accepts packets for, from the text of /proc/net/fib_trie: each leaf is a `|-- ADDRESS`
 * line followed by its routes, and an own address has one of type `host LOCAL`.
 */
export function parseLocalAddresses(fibTrie: string): Set<string> {
  const local = new Set<string>();
  let leaf = "";
  for (const line of fibTrie.split("\n")) {
    const match = /\|-- (\d{1,3}(?:\.\d{1,3}){3})\s*$/.exec(line);
    if (match) leaf = match[1] ?? "";
    else if (leaf && /^\s*\/32 host LOCAL\b/.test(line)) local.add(leaf);
  }
  return local;
}

/**
 * Whether this node holds the address right now: the kernel's own word, for a start of the agent (it missed what
 * the FIFO told) and for `status`. One file read, no process.
 */
export async function holdsAddress(address: string): Promise<boolean> {
  const [ip = ""] = address.split("/");
  return parseLocalAddresses(await readFile("/proc/net/fib_trie", "utf8")).has(ip);
}

/**
 * Takes a VIP away that keepalived left behind: a killed keepalived takes nothing back, while the peer already
 * answers for the address. Doing it twice is no error. Returns whether there was anything to take.
 * @throws ChimeError `exec.failed`
 */
export async function removeAddress(address: string, carrier: string): Promise<boolean> {
  const cidr = address.includes("/") ? address : `${address}/32`;
  if (!(await holdsAddress(cidr))) return false;
  // 2: somebody else was faster (RTNETLINK: Cannot assign requested address).
  await exec(["ip", "address", "del", cidr, "dev", carrier], { ok: [0, 2], timeoutMs: 5_000 });
  return true;
}
