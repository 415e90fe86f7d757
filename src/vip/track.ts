import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { paths } from "../core/paths.ts";

const suffix = ".eligible";

/** The file by which the agent opens (`1`) and closes (`0`) this node's way to a VIP. */
export function trackFile(name: string, directory: string = paths.vip): string {
  return `${directory}/${name}${suffix}`;
}

/**
 * Tells keepalived, which watches the directory (IN_CLOSE_WRITE) and reads the file anew at each close after a
 * write. One write of two bytes over the old two: there is no moment with an empty or half-written file, and no
 * second file that a crash could leave behind.
 */
export function writeEligible(name: string, eligible: boolean, directory: string = paths.vip): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const fd = openSync(trackFile(name, directory), constants.O_WRONLY | constants.O_CREAT, 0o644);
  try {
    writeSync(fd, eligible ? "1\n" : "0\n", 0);
  } finally {
    closeSync(fd);
  }
}

/** As keepalived understands the file (`weight 0 reverse`): any number but 0 is eligible; no file, no number are not. */
export function readEligible(name: string, directory: string = paths.vip): boolean {
  try {
    const value = Number.parseInt(readFileSync(trackFile(name, directory), "utf8"), 10);
    return !Number.isNaN(value) && value !== 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Closes this node's way to every VIP. Returns their names. */
export function closeGates(directory: string = paths.vip): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory)
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length));
  for (const name of names) writeEligible(name, false, directory);
  return names;
}
