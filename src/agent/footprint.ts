import { dlopen } from "bun:ffi";
import { readFileSync } from "node:fs";

/** By then what only the start needed is garbage. */
const startedMs = 15_000;

/** Dropping costs about 1 ms: what is needed again comes back from the page cache. */
const dropMs = 30_000;

interface Range {
  start: number;
  bytes: number;
}

/**
 * Keeps a resting agent small: gives back the start's garbage, and from time to time the pages of the program that
 * only a start, a command or a failover ran through (10 MB of 47). Returns what ends it.
 */
export function keepFootprintSmall(): () => void {
  const MADV_DONTNEED = 4;
  const { symbols: libc } = dlopen("libc.so.6", {
    madvise: { args: ["u64", "u64", "i32"], returns: "i32" },
  });
  const ranges = programPages(readFileSync("/proc/self/smaps", "utf8"), process.execPath);
  const started = setTimeout(() => {
    Bun.gc(true);
    Bun.shrink();
  }, startedMs);
  const dropping = setInterval(() => {
    for (const { start, bytes } of ranges) libc.madvise(start, bytes, MADV_DONTNEED);
  }, dropMs);
  return () => {
    clearTimeout(started);
    clearInterval(dropping);
  };
}

/**
 * Of proc_pid_smaps(5): mappings of `program` that are its file's bytes, read-only and never written to, so that
 * dropping their pages loses nothing.
 */
export function programPages(smaps: string, program: string): Range[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((mapping) => {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \S+ +(.*)$/m.exec(mapping);
    if (head?.[3] !== program || !/^Anonymous: +0 kB$/m.test(mapping)) return [];
    const [start, end] = [Number(`0x${head[1]}`), Number(`0x${head[2]}`)];
    return [{ start, bytes: end - start }];
  });
}
