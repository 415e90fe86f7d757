import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import { paths } from "../../core/paths.ts";
import { makeParents, readText, writeAtomically } from "../files.ts";
import { identitySchema } from "./identity.ts";

/** A disk that was given to a role of this node. What it is to be called is settled before anything is written to it. */
const givenSchema = v.object({
  /** Of its file system; XFS takes no more than 12 (xfs_admin(8)). */
  label: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,11}$/)),
  uuid: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
  /** Where it is mounted. */
  at: v.pipe(v.string(), v.regex(/^(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/)),
  identity: identitySchema,
  /** ID of the cluster in which it was given. Older versions did not write it down. */
  cluster: v.optional(v.string()),
});
export type GivenDisk = v.InferOutput<typeof givenSchema>;

const schema = v.pipe(v.string(), v.parseJson(), v.object({ disks: v.array(givenSchema) }));

/** @throws ChimeError `disks.corrupt` */
export async function loadGiven(path: string = paths.disks): Promise<GivenDisk[]> {
  const text = await readText(path);
  return text === undefined ? [] : parseGiven(text, path);
}

/** @throws ChimeError `disks.corrupt` */
export function parseGiven(text: string, path: string): GivenDisk[] {
  const parsed = v.safeParse(schema, text);
  if (parsed.success) return parsed.output.disks;
  throw failed("disks.corrupt", `${path} cannot be read: ${parsed.issues[0].message}`, {
    remedy: `repair ${path}; it says which disks are this node's own`,
  });
}

export async function keepGiven(disks: readonly GivenDisk[], path: string = paths.disks): Promise<void> {
  await makeParents(path);
  await writeAtomically(path, `${JSON.stringify({ disks }, null, 2)}\n`, { mode: 0o600, uid: 0, gid: 0 });
}
