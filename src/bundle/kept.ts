import { repositoryName } from "../host/packages/bundle-repositories.ts";
import { addedDirectory } from "./added.ts";
import type { BundleFile, Manifest } from "./manifest.ts";

const directories = [repositoryName, addedDirectory];

/** Whether a file is what a node uses after chime-node has its place, and what others take from it. */
export function isKept(name: string): boolean {
  return directories.some((directory) => name.startsWith(`${directory}/`));
}

export function keptFiles({ files }: Pick<Manifest, "files">): BundleFile[] {
  return files.filter(({ name }) => isKept(name));
}
