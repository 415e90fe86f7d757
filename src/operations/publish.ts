import { createHash } from "node:crypto";
import * as v from "valibot";
import { callAgent } from "../agent/socket.ts";
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

/**
 * Publishes cluster.toml as the next version where it was edited on this node. Returns the new version.
 * @throws ChimeError config errors with their place; `spec.conflict` (exit 3) with the difference
 */
export async function publishEdits(): Promise<number | undefined> {
  const file = Bun.file(paths.clusterToml);
  if (!(await file.exists())) return undefined;
  const [toml, { spec }, base] = await Promise.all([
    file.text(),
    callAgent<ClusterView>("cluster"),
    readBase(),
  ]);
  if (toml === spec.toml) {
    if (base?.version !== spec.version) await rememberBase(spec.version, toml);
    return undefined;
  }
  if (base && base.sha256 === sha256(toml)) return undefined;
  parseSpec(toml, paths.clusterToml);
  try {
    const { version } = await callAgent<{ version: number }>("spec.publish", {
      toml,
      base: base?.version ?? 0,
    });
    await rememberBase(version, toml);
    return version;
  } catch (error) {
    if (!(error instanceof ChimeError && error.code === "spec.conflict")) throw error;
    throw refused("spec.conflict", `${error.message}\n${diffTexts(spec.toml, toml)}`, {
      remedy: `take version ${spec.version} into ${paths.clusterToml} (the lines with -), then apply again`,
    });
  }
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
