import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { failed, refused } from "../../../core/errors.ts";
import { isMissing } from "../../../host/files.ts";
import { freeBytes } from "../../../host/free-space.ts";
import { copyDirectory } from "./places.ts";

/** What comes beside the data: the redo log that grows while it is copied, and new logs (bytes). */
const marginBytes = 128 << 20;

/** Bytes of a server's data as a copy of it will hold them. Files come and go meanwhile. */
export async function dataBytes(data: string, skips: RegExp): Promise<number> {
  let bytes = 0;
  for (const entry of await entries(data)) {
    if (skips.test(entry.name) || entry.name === copyDirectory) continue;
    const path = join(data, entry.name);
    if (entry.isFile()) bytes += await fileBytes(path);
    if (!entry.isDirectory()) continue;
    for (const file of await entries(path)) {
      if (file.isFile()) bytes += await fileBytes(join(path, file.name));
    }
  }
  return bytes;
}

async function entries(path: string): Promise<Dirent[]> {
  return readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

async function fileBytes(path: string): Promise<number> {
  const info = await lstat(path).catch(() => undefined);
  return info?.size ?? 0;
}

/** The old data stay until the copy is whole: both have to fit. @throws ChimeError `rebuild.no_space` (exit 3) */
export async function requireSpace(data: string, bytes: number, source: string): Promise<void> {
  const free = await freeBytes(data);
  const needed = Math.ceil(bytes * 1.1) + marginBytes;
  if (free >= needed) return;
  throw refused(
    "rebuild.no_space",
    `${data} has ${size(free)} free, and a copy of ${source}'s data needs ${size(needed)} beside what is there`,
    `free some space on that file system (df -h ${data}), then run this again`,
  );
}

/** What the old server and the system keep while a copy grows beside them (bytes). */
const floorBytes = 64 << 20;

/** The writer's data may have grown since they were counted. @throws ChimeError `rebuild.no_space` */
export async function requireRoom(data: string): Promise<void> {
  if ((await freeBytes(data)) >= floorBytes) return;
  throw failed("rebuild.no_space", `${data} has too little space for the rest of the copy`, {
    remedy: `free some space on that file system (df -h ${data}), then run this again`,
  });
}

/** For people: "1.2 GiB". */
export function size(bytes: number): string {
  if (bytes < 1 << 30) return `${Math.ceil(bytes / (1 << 20))} MiB`;
  return `${(bytes / (1 << 30)).toFixed(1)} GiB`;
}
