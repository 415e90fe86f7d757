import { stat } from "node:fs/promises";
import * as v from "valibot";
import { failed } from "../core/errors.ts";
import {
  fileError,
  isMissing,
  makeDirectory,
  missingDirectories,
  removeEmptyDirectories,
} from "../host/files.ts";
import { lookupOwner, resolveOwner } from "../host/users.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Kind, Resource } from "./types.ts";

export interface DirectoryOptions {
  path: string;
  /** Default 0o755. */
  mode?: number;
  /** Default root; looked up at apply. */
  owner?: string;
  /** Default: the group named like the owner. */
  group?: string;
  needs?: readonly string[];
}

/** One directory with its mode and owner. What is in it is not touched, and reset removes it only when empty. */
export function directory(options: DirectoryOptions): Resource {
  const { path, mode = 0o755, owner = "root", group = owner } = options;
  const id = `directory:${path}`;
  return {
    id,
    needs: options.needs ?? [],
    desired: fingerprint({ mode, owner, group }),
    async inspect() {
      const now = await look(path);
      const ids = await lookupOwner(owner, group);
      if (now && ids && now.mode === mode && now.uid === ids.uid && now.gid === ids.gid) return undefined;
      const wanted = `${owner}:${group} ${mode.toString(8)}`;
      return {
        action: now ? "update" : "create",
        impact: "none",
        diff: now ? `${now.uid}:${now.gid} ${now.mode.toString(8)} → ${wanted}` : `+ ${wanted}`,
        async apply({ ledger }) {
          const ownership = { ...(await resolveOwner(owner, group)), mode };
          const missing = await missingDirectories(path);
          await ledger.before(id, { missing, was: now ?? null });
          for (const above of missing) await makeDirectory(above, { mode: 0o755, uid: 0, gid: 0 });
          await makeDirectory(path, ownership);
        },
      };
    },
  };
}

const beforeSchema = v.object({
  missing: v.array(v.string()),
  was: v.nullable(v.object({ mode: v.number(), uid: v.number(), gid: v.number() })),
});

export const directoryKind: Kind = {
  name: "directory",
  async undo(id, before) {
    const path = id.slice("directory:".length);
    const { missing, was } = v.parse(beforeSchema, before);
    if (was && (await look(path))) await makeDirectory(path, was);
    await removeEmptyDirectories(missing);
  },
};

async function look(path: string): Promise<{ mode: number; uid: number; gid: number } | undefined> {
  const info = await stat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw fileError(path, error);
  });
  if (!info) return undefined;
  if (!info.isDirectory()) throw failed("file.not_a_directory", `${path} exists and is not a directory`);
  return { mode: info.mode & 0o7777, uid: info.uid, gid: info.gid };
}
