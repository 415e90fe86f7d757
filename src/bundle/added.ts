import { chmod, link, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncPath } from "../host/files.ts";
import type { Manifest } from "./manifest.ts";
import { askVersion, sumProgram, type VersionQuestion } from "./program.ts";

/** A server that a role runs and no repository has, by its name in the catalog. */
interface Addable {
  role: "minio" | "influxdb";
  version: VersionQuestion;
}

/** Programs of the operator's own that a bundle may carry. */
export const addable: Readonly<Record<string, Addable>> = {
  // `minio version RELEASE.2025-09-07T16-13-09Z (commit-id=…)`
  minio: { role: "minio", version: { argv: ["--version"], answer: /\bversion:? +([!-~]{1,100})/i } },
  // `InfluxDB v2.7.12 (git: …) build_date: …`
  influxd: { role: "influxdb", version: { argv: ["version"], answer: /^InfluxDB v?(\d[!-~]{0,99})/m } },
};

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
  const question = addable[name]?.version;
  const version = question && arch === process.arch ? await askVersion(path, question) : undefined;
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
