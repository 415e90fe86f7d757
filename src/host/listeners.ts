import { readdir, readFile, readlink } from "node:fs/promises";
import { isMissing, readText } from "./files.ts";

/** A process that has a TCP port. */
export interface Listener {
  pid: number;
  /** The kernel's short name of it, e.g. `mariadbd`. */
  program: string;
  /** Path of its binary; empty where it cannot be read. */
  binary: string;
}

/** The state column of /proc/net/tcp (proc(5); TCP_LISTEN in the kernel's tcp_states.h). */
const listening = "0A";

/** Pure: inodes of the sockets that listen on `port`, from /proc/net/tcp or tcp6. */
export function listeningInodes(text: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      return inode && state === listening && local?.endsWith(suffix) ? [inode] : [];
    });
}

/** Who listens on a TCP port here. `unknown` stands for a process of another container or that just ended. */
export async function listenerOn(port: number): Promise<Listener | "unknown" | undefined> {
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readText(path)));
  const sockets = tables.flatMap((table) => listeningInodes(table ?? "", port)).map((i) => `socket:[${i}]`);
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
