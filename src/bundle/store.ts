import { constants } from "node:fs";
import { mkdir, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { refused } from "../core/errors.ts";
import { mebibytes } from "../core/size.ts";
import {
  fileError,
  isMissing,
  makePrivateDirectory,
  readText,
  removeEmptyDirectories,
  syncPath,
  syncTree,
} from "../host/files.ts";
import { freeBytes } from "../host/free-space.ts";
import { placeAdded } from "./added.ts";
import { ByteSource } from "./bytes.ts";
import { keptFiles } from "./kept.ts";
import {
  contentSize,
  largestManifest,
  manifestName,
  parseManifest,
  signatureName,
  type BundleFile,
  type Manifest,
} from "./manifest.ts";
import { readBundle, type Opened, type Sink, type Trust } from "./read.ts";

/** Stays free when a bundle has come in: packages want to be unpacked, too. */
const spareBytes = 64 << 20;

/** A bundle whose every byte was checked before it got its place. */
export interface StoredBundle {
  id: string;
  directory: string;
  manifest: Manifest;
}

/**
 * Takes a bundle in: all of it is checked, and what nodes use later is written to a directory that nobody looks at,
 * which gets its name when all was good.
 * @param accept throws where the bundle is none for this machine
 * @throws ChimeError what `readBundle` throws, `bundle.no_space` (exit 3); `host.no_space`, `file.*`
 */
export async function importBundle(
  file: string,
  store: string,
  trust: Trust,
  accept: (opened: Opened) => Promise<void>,
): Promise<Opened & { isNew: boolean }> {
  await makePrivateDirectory(store);
  const work = join(store, ".coming");
  await rm(work, { recursive: true, force: true });
  let isNew = true;
  try {
    const opened = await ByteSource.over(file, (source) =>
      readBundle(
        source,
        trust,
        async (found) => {
          await accept(found);
          isNew = !(await Bun.file(join(store, found.id, manifestName)).exists());
          if (isNew) await requireSpace(store, contentSize({ files: keptFiles(found.manifest) }));
        },
        ({ manifest }) => (isNew ? directorySink(work, keptFiles(manifest)) : undefined),
      ),
    );
    if (isNew) await settle(work, store, opened);
    return { ...opened, isNew };
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    await removeEmptyDirectories([store, dirname(store)]);
    throw fileError(store, error);
  }
}

/**
 * Gives a directory with checked files its place in the store, durably. Those that it makes superfluous go.
 * @throws ChimeError `file.*`
 */
export async function settle(work: string, store: string, opened: Opened): Promise<void> {
  await writeSigned(work, opened);
  await syncTree(work);
  await placeAdded(work, store, opened.manifest);
  await rename(work, join(store, opened.id));
  await syncPath(store);
  await rm(pullPlaces(store, opened.id).directory, { recursive: true, force: true });
  await removeCovered(store, opened);
}

/** What proves a bundle's other files. */
export async function writeSigned(directory: string, { manifestText, signature }: Opened): Promise<void> {
  await Bun.write(join(directory, manifestName), manifestText);
  await Bun.write(join(directory, signatureName), signature);
}

/** @throws ChimeError `file.*` */
export function storedBundles(store: string): Promise<StoredBundle[]> {
  return bundlesIn(store, /^([0-9a-f]+)$/, (id) => join(store, id));
}

/** Those that this node is taking from others, or began to: not all of their files are there. */
export function comingBundles(store: string): Promise<StoredBundle[]> {
  return bundlesIn(store, /^\.pull-([0-9a-f]+)$/, (id) => pullPlaces(store, id).whole);
}

/** Where a bundle comes together that is taken from other nodes. */
export function pullPlaces(store: string, id: string) {
  const directory = join(store, `.pull-${id}`);
  return { directory, coming: join(directory, "coming"), whole: join(directory, "whole") };
}

async function bundlesIn(
  store: string,
  pattern: RegExp,
  directory: (id: string) => string,
): Promise<StoredBundle[]> {
  const names = await readdir(store).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw fileError(store, error);
  });
  const found: StoredBundle[] = [];
  for (const id of names.flatMap((name) => pattern.exec(name)?.[1] ?? []).sort()) {
    const text = await readText(join(directory(id), manifestName), largestManifest);
    if (text !== undefined) found.push({ id, directory: directory(id), manifest: parseManifest(text) });
  }
  return found;
}

/** @throws ChimeError `bundle.no_space` (exit 3) */
export async function requireSpace(store: string, content: number): Promise<void> {
  const free = await freeBytes(store);
  if (free >= content + spareBytes) return;
  throw refused(
    "bundle.no_space",
    `the bundle needs ${mebibytes(content + spareBytes)} at ${store}, and ${mebibytes(free)} are free`,
    "free some space (df -h), then run this again",
  );
}

/** Others for the same machines that hold nothing for a role which this one does not hold. */
async function removeCovered(store: string, { id, manifest }: Opened): Promise<void> {
  for (const other of await storedBundles(store)) {
    const { system, arch, roles } = other.manifest;
    const isSame = system === manifest.system && arch === manifest.arch;
    if (other.id === id || !isSame || !roles.every((role) => manifest.roles.includes(role))) continue;
    await rm(other.directory, { recursive: true, force: true });
  }
}

/** These files below a directory that is not there yet; the others go nowhere. Their names were checked. */
function directorySink(directory: string, files: readonly BundleFile[]): Sink {
  const kept = new Set(files.map(({ name }) => name));
  let handle: FileHandle | undefined;
  return {
    async begin(name) {
      if (!kept.has(name)) return;
      const path = join(directory, name);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
    },
    async write(chunk) {
      await handle?.writeFile(chunk);
    },
    async close() {
      const open = handle;
      handle = undefined;
      await open?.close();
    },
  };
}
