import { readdir, readFile, readlink } from "node:fs/promises";
import { isMissing, readText } from "./files.ts";

export type Protocol = "tcp" | "udp";

/** A process that has a port. */
export interface Listener {
  pid: number;
  /** The kernel's short name of it, e.g. `mariadbd`. */
  program: string;
  /** Path of its binary; empty where it cannot be read. */
  binary: string;
}

/**
 * The state column of /proc/net/tcp and udp (proc(5)): TCP_LISTEN in the kernel's tcp_states.h; a UDP socket that takes
 * datagrams from everybody has TCP_CLOSE there.
 */
const listening: Readonly<Record<Protocol, string>> = { tcp: "0A", udp: "07" };

/** Pure: inodes of the sockets that listen on `port`, from the protocol's table or its namesake for IPv6. */
export function listeningInodes(text: string, port: number, protocol: Protocol = "tcp"): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      return inode && state === listening[protocol] && local?.endsWith(suffix) ? [inode] : [];
    });
}

/** Who listens on a port here. `unknown` stands for a process of another container or that just ended. */
export async function listenerOn(
  port: number,
  protocol: Protocol = "tcp",
): Promise<Listener | "unknown" | undefined> {
  const paths = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`];
  const tables = await Promise.all(paths.map((path) => readText(path)));
  const inodes = tables.flatMap((table) => listeningInodes(table ?? "", port, protocol));
  const sockets = inodes.map((inode) => `socket:[${inode}]`);
  if (sockets.length === 0) return undefined;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    try {
      const descriptors = await readdir(`/proc/${pid}/fd`);
      const links = await Promise.all(
        descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
      );
      if (!links.some((link) => sockets.includes(link))) continue;
      return {
        pid: Number(pid),
        program: (await readFile(`/proc/${pid}/comm`, "utf8")).trim(),
        binary: await readlink(`/proc/${pid}/exe`).catch(() => ""),
      };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!isMissing(error) && code !== "ESRCH" && code !== "EACCES") throw error;
    }
  }
  return "unknown";
}
