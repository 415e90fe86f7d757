import type { SpecDocument } from "../cluster/types.ts";
import { paths } from "../core/paths.ts";
import { file } from "../resources/file.ts";
import type { Io } from "./io.ts";
import { makeOrThrow } from "./make.ts";
import { rememberBase } from "./publish.ts";

export async function hasSpecCopy(): Promise<boolean> {
  return await Bun.file(paths.clusterToml).exists();
}

/**
 * A member has a copy of cluster.toml to edit: a joiner gets one, and so does who has removed it. One that is there stays as
 * it is. Returns whether it was missing.
 */
export async function keepSpecCopy(spec: SpecDocument, io: Io): Promise<boolean> {
  if (await hasSpecCopy()) return false;
  await makeOrThrow([file({ path: paths.clusterToml, content: spec.toml })], io);
  await rememberBase(spec.version, spec.toml);
  return true;
}
