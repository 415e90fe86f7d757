import { readFile } from "node:fs/promises";

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

/** The node's own IPv4 addresses right now, whatever their interface's state. One file read, no process. */
export async function readLocalAddresses(): Promise<Set<string>> {
  return parseLocalAddresses(await readFile("/proc/net/fib_trie", "utf8"));
}
