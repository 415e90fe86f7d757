import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { isMissing } from "../files.ts";
import { parseMounts, type Mount } from "./tables.ts";
import { blockNumber, toNumber } from "./number.ts";

/** What all processes of this machine see and have open. */
export interface Processes {
  /** `MAJOR:MINOR` of a block device, or `MAJOR:MINOR:INODE` of a file → programs that have it open. */
  open: Map<string, string[]>;
  /** Mounts of every mount namespace that a process is in; `where` names that process, null in our own. */
  mounts: (Mount & { where: string | null })[];
  trouble: string[];
}

/** File systems on which a look at a file may wait for a server for ever. */
const remote = /^(nfs\d?|cifs|smb3|ceph|9p|fuse\..*|afs|glusterfs|lustre|beegfs|gfs2|ocfs2)$/;

/** Looks at every process. Those that end meanwhile have nothing open any more. */
export function lookAtProcesses(): Processes {
  const found: Processes = { open: new Map(), mounts: [], trouble: [] };
  const seen = new Set<string>();
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (const pid of ["self", ...pids]) lookAtNamespace(pid, seen, found);
  const away = found.mounts.filter(({ fileSystem }) => remote.test(fileSystem)).map(({ target }) => target);
  for (const pid of pids) {
    if (pid !== String(process.pid)) lookAtFiles(pid, away, found);
  }
  return found;
}

function lookAtNamespace(pid: string, seen: Set<string>, found: Processes): void {
  attempt(pid, found, () => {
    const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
    if (seen.has(namespace)) return;
    const mounts = parseMounts(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
    seen.add(namespace);
    const where = pid === "self" ? null : `another namespace (${programOf(pid)})`;
    found.mounts.push(...mounts.map((mount) => ({ ...mount, where })));
  });
}

function lookAtFiles(pid: string, away: readonly string[], found: Processes): void {
  let program: string | undefined;
  attempt(pid, found, () => {
    for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
      const link = `/proc/${pid}/fd/${descriptor}`;
      attempt(pid, found, () => {
        const target = readlinkSync(link);
        if (!target.startsWith("/") || away.some((mount) => target.startsWith(`${mount}/`))) return;
        const info = statSync(link);
        const key = blockNumber(info) ?? (info.isFile() ? `${toNumber(info.dev)}:${info.ino}` : undefined);
        if (key === undefined) return;
        program ??= programOf(pid);
        const programs = found.open.get(key) ?? [];
        if (!programs.includes(program)) found.open.set(key, [...programs, program]);
      });
    }
  });
}

function attempt(pid: string, found: Processes, look: () => void): void {
  try {
    look();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A zombie has neither files nor a namespace (EINVAL from its mountinfo).
    if (isMissing(error) || code === "ESRCH" || code === "EINVAL") return;
    const sentence = `what process ${pid} uses cannot be seen (${code ?? message})`;
    if (!found.trouble.includes(sentence)) found.trouble.push(sentence);
  }
}

function programOf(pid: string): string {
  return `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (pid ${pid})`;
}
