import { createHash } from "node:crypto";
import * as v from "valibot";
import { callAgent } from "../agent/socket.ts";
import type { SpecDocument } from "../cluster/types.ts";
import { writeAtomic } from "../cluster/files.ts";
import { ChimeError, refused } from "../core/errors.ts";
import { paths } from "../core/paths.ts";
import { diffTexts } from "../plan/diff.ts";
import { parseSpec } from "../spec/load.ts";
import type { ClusterView } from "./context.ts";

/**
 * Which version of the spec this node's cluster.toml was last equal to. It tells an edited file from one that is
 * merely older than what another member has published (an existing cluster.toml is never rewritten).
 */
const baseFile = `${paths.state}/spec-base.json`;
const baseSchema = v.object({ version: v.number(), sha256: v.string() });

export async function rememberBase(version: number, toml: string): Promise<void> {
  await writeAtomic(baseFile, `${JSON.stringify({ version, sha256: sha256(toml) })}\n`, 0o600);
}

/** A cluster.toml that was edited on this node, and the version that it was equal to before. */
export interface Edit {
  toml: string;
  base: number;
}

/**
 * The edit that waits on this node; undefined where there is none.
 * @throws ChimeError config errors with their place; `spec.conflict` (exit 3) with the difference
 */
export async function findEdit(spec: SpecDocument): Promise<Edit | undefined> {
  const file = Bun.file(paths.clusterToml);
  if (!(await file.exists())) return undefined;
  const [toml, base] = await Promise.all([file.text(), readBase()]);
  if (toml === spec.toml) {
    if (base?.version !== spec.version) await rememberBase(spec.version, toml);
    return undefined;
  }
  if (base && base.sha256 === sha256(toml)) return undefined;
  parseSpec(toml, paths.clusterToml);
  if (base && base.version !== spec.version) throw conflict(spec, toml);
  return { toml, base: base?.version ?? 0 };
}

/** Publishes an edit as the next version, everywhere; returns its number. @throws ChimeError `spec.conflict` (exit 3) */
export async function publishEdit({ toml, base }: Edit): Promise<number> {
  try {
    const { version } = await callAgent<{ version: number }>("spec.publish", { toml, base });
    await rememberBase(version, toml);
    return version;
  } catch (error) {
    if (!(error instanceof ChimeError && error.code === "spec.conflict")) throw error;
    throw conflict((await callAgent<ClusterView>("cluster")).spec, toml);
  }
}

function conflict({ version, publisher, toml: published }: SpecDocument, toml: string): ChimeError {
  return refused(
    "spec.conflict",
    `${publisher} has published version ${version} since ${paths.clusterToml} was taken from an older one\n${diffTexts(published, toml)}`,
    `take version ${version} into ${paths.clusterToml} (the lines with -), then apply again`,
  );
}

async function readBase(): Promise<v.InferOutput<typeof baseSchema> | undefined> {
  const file = Bun.file(baseFile);
  if (!(await file.exists())) return undefined;
  const parsed = v.safeParse(baseSchema, await file.json());
  return parsed.success ? parsed.output : undefined;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
