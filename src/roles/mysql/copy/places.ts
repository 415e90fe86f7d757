import { join } from "node:path";
import { productPath } from "../../../host/catalog.ts";
import type { CopyPlaces } from "../engine/types.ts";
import type { Layout } from "../layout.ts";

/**
 * A copy grows inside the data directory: that is the same file system also where the data have a disk of their own,
 * so that it can be moved into place, and it is the server's own ground, on which root does nothing itself.
 */
export const copyDirectory = ".chime-copy";

/**
 * How far a copy is, told by its directory's name alone, so that no kill can make name and content disagree. Each step
 * to the next is one rename. Up to `ready` the old data are untouched; from `clear` on they are going, and whoever
 * finds it goes on.
 */
export const stages = ["part", "ready", "clear", "fill"] as const;
export type Stage = (typeof stages)[number];

/** What makes a copy and is no part of it; it goes before a copy is `ready`. */
export const workshop = "work";

export function stagePath(data: string, stage: Stage): string {
  return join(data, copyDirectory, stage);
}

/** What a file system has of its own, where the data have one to themselves. */
export const fileSystemsOwn = "lost+found";

/** Kept in the data directory whatever becomes of the data: whose it is (marker.ts), and a file system's own. */
export const kept: readonly string[] = [copyDirectory, "chime-node.json", fileSystemsOwn];

/** What the server that starts on a copy has to be told (copied.ts). It comes with the copy. */
export const copiedFile = "chime-copied.json";

export function copyPlaces({ product, socket, data }: Layout): CopyPlaces {
  return {
    backup: productPath(product, "backup"),
    unpack: productPath(product, "unpack"),
    socket,
    data,
    user: product.user,
  };
}
