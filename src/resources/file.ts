import { lstat, mkdir, mkdtemp, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { failed } from "../core/errors.ts";
import { exec } from "../core/exec.ts";
import { mask } from "../core/mask.ts";
import { paths } from "../core/paths.ts";
import { fileError, isMissing, makeParents, readText, writeAtomically } from "../host/files.ts";
import { lookupOwner, resolveOwner } from "../host/users.ts";
import { diffTexts } from "../plan/diff.ts";
import { remember, restore } from "./before.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Kind, Resource } from "./types.ts";

/** A resource that is files: a service can restart or reload when they change. */
export interface FileResource extends Resource {
  readonly files: readonly string[];
  /** A secret is changed beside `apply`, too: a service that refuses its files is not given an old one back. */
  readonly secret?: boolean;
  /** A program of which the files tell. */
  readonly program?: string;
}

/** The service's own checker (law 5): runs on a copy of the new content before that replaces the old. */
export interface FileCheck {
  /** `{}` stands for the path of the copy, which has the file's own base name. */
  argv: readonly string[];
  /** Passes only without a word on stderr, too (`keepalived -t` exits 0 on some mistakes). */
  silent?: boolean;
  /** Only where there is an old one: a checker that costs more than the service's start, which tells the same. */
  replacing?: boolean;
}

export interface FileOptions {
  path: string;
  content: string;
  /** Default 0o644. */
  mode?: number;
  /** Default root. May not exist before a package is installed; it is looked up at apply. */
  owner?: string;
  /** Default: the group named like the owner. */
  group?: string;
  /** Its diff says only that the content differs. */
  secret?: boolean;
  check?: FileCheck;
  needs?: readonly string[];
}

/** One file with its content, mode and owner. Missing directories above it are made (0755, root). */
export function file(options: FileOptions): FileResource {
  const { path, content, mode = 0o644, owner = "root", group = owner, secret = false, check } = options;
  const id = `file:${path}`;
  return {
    id,
    needs: options.needs ?? [],
    desired: fingerprint({ content, mode, owner, group }),
    files: [path],
    secret,
    async inspect() {
      const now = await look(path);
      const diff = await describe(now, options);
      if (!diff) return undefined;
      return {
        action: now ? "update" : "create",
        impact: "none",
        diff,
        async apply({ ledger, signal }) {
          const ownership = { ...(await resolveOwner(owner, group)), mode };
          if (check && (now || !check.replacing)) await runCheck(path, content, check, signal);
          if (ledger.noted(id) === undefined) await ledger.before(id, await remember(path, ledger.backups));
          await makeParents(path);
          await writeAtomically(path, content, ownership);
        },
      };
    },
  };

  async function describe(now: Look | undefined, wanted: FileOptions): Promise<string> {
    if (now && now.type !== "file") return `${now.type} becomes a file`;
    const lines: string[] = [];
    if (now?.content !== wanted.content) {
      lines.push(secret ? "(content hidden)" : diffTexts(now?.content ?? "", wanted.content));
    }
    if (now) {
      const ids = await lookupOwner(owner, group);
      if (now.mode !== mode) lines.push(`mode ${octal(now.mode)} → ${octal(mode)}`);
      if (!ids || ids.uid !== now.uid || ids.gid !== now.gid) {
        lines.push(`owner ${now.uid}:${now.gid} → ${owner}:${group}`);
      }
    } else if (!lines[0]) return "(empty)";
    return lines.join("\n");
  }
}

export const fileKind: Kind = {
  name: "file",
  undo: (id, before) => restore(id.slice("file:".length), before),
};

interface Look {
  type: "file" | "link";
  content: string | undefined;
  mode: number;
  uid: number;
  gid: number;
}

async function look(path: string): Promise<Look | undefined> {
  const info = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw fileError(path, error);
  });
  if (!info) return undefined;
  if (!info.isFile() && !info.isSymbolicLink()) {
    throw failed("file.not_a_file", `${path} exists and is not a regular file`);
  }
  const link = info.isSymbolicLink();
  return {
    type: link ? "link" : "file",
    content: link ? undefined : await readText(path),
    mode: info.mode & 0o7777,
    uid: info.uid,
    gid: info.gid,
  };
}

async function runCheck(path: string, content: string, check: FileCheck, signal: AbortSignal): Promise<void> {
  const made = await mkdir(paths.run, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(paths.run, "check-"));
  try {
    const copy = join(directory, basename(path));
    await writeAtomically(copy, content, { mode: 0o600, uid: 0, gid: 0 });
    const argv = check.argv.map((word) => word.replaceAll("{}", copy));
    const result = await exec(argv, { ok: "any", signal });
    if (result.code === 0 && !(check.silent && result.stderr.trim())) return;
    const said = (result.stderr.trim() || result.stdout.trim()).replaceAll(copy, path);
    throw failed(
      "file.check_failed",
      mask(
        `${check.argv[0]} refuses the new ${path} (exit ${result.code}): ${said.split("\n").slice(-3).join(" | ")}`,
      ),
      { remedy: "the old file is still in place; report this" },
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
    // Unless somebody else has put something there meanwhile.
    if (made !== undefined) await rmdir(made).catch(() => undefined);
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
