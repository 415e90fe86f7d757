import { chmod, link, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncPath } from "../host/files.ts";
import type { Manifest } from "./manifest.ts";
import { sumProgram, versionOfAny } from "./program.ts";

/** Programs of the operator's own that a bundle may carry: servers that roles run and no repository has. */
export const addedNames: readonly string[] = ["minio"];

/** Their directory in a bundle, and in the store: there each has one place, whichever bundle it came with. */
export const addedDirectory = "programs";

/** A program as it goes into a bundle. */
export interface AddedProgram {
  name: string;
  path: string;
  /** What it says of itself; `unknown` where it does not run here. */
  version: string;
  sha256: string;
  size: number;
}

/** @throws ChimeError `bundle.bad_program` (exit 2), `file.*`; the signal's reason */
export async function addedProgram(
  name: string,
  path: string,
  arch: Manifest["arch"],
  signal: AbortSignal,
): Promise<AddedProgram> {
  const sums = await sumProgram(path, arch, signal);
  const version = arch === process.arch ? await versionOfAny(path) : undefined;
  return { name, path, version: version ?? "unknown", ...sums };
}

/** Gives the programs among checked files their places in the store. Links: they stay when their bundle goes. */
export async function placeAdded(directory: string, store: string, manifest: Manifest): Promise<void> {
  const names = manifest.files.flatMap(({ name }) => addedPattern.exec(name)?.[1] ?? []);
  if (names.length === 0) return;
  const places = join(store, addedDirectory);
  await mkdir(places, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const from = join(directory, addedDirectory, name);
    const temporary = join(places, `.${name}`);
    await chmod(from, 0o755);
    await rm(temporary, { force: true });
    await link(from, temporary);
    await rename(temporary, join(places, name));
  }
  await syncPath(places);
}

const addedPattern = new RegExp(`^${addedDirectory}/([a-z0-9-]+)$`);
