import { statfsSync, statSync } from "node:fs";
import * as v from "valibot";
import { exec } from "../../core/exec.ts";
import { toNumber } from "./number.ts";
import type { Backing } from "./types.ts";

/** statfs(2)'s types of file systems that are gone with the power. */
const inMemory = new Set([0x01021994, 0x858458f6]);

const schema = v.object({
  loopdevices: v.array(
    v.object({
      name: v.string(),
      "back-ino": v.nullable(v.union([v.number(), v.string()])),
      "back-maj:min": v.nullable(v.string()),
      "back-file": v.nullable(v.string()),
      offset: v.pipe(v.union([v.number(), v.string()]), v.transform(Number)),
      sizelimit: v.pipe(v.union([v.number(), v.string()]), v.transform(Number)),
    }),
  ),
});

/** A loop device's file as the kernel tells it, before its path was looked at. */
export interface Attached extends Omit<Backing, "place"> {
  device: string;
}

/** Pure: `losetup --list --json`. @throws Error for what is not of that form */
export function parseLosetup(output: string): Attached[] {
  if (output.trim() === "") return [];
  const { loopdevices } = v.parse(v.pipe(v.string(), v.parseJson(), schema), output);
  return loopdevices.flatMap((one) =>
    one["back-file"] === null || one["back-ino"] === null
      ? []
      : {
          device: one.name,
          file: one["back-file"].trim(),
          identity: `${one["back-maj:min"]?.trim()}:${one["back-ino"]}`,
          partial: one.offset !== 0 || one.sizelimit !== 0,
        },
  );
}

/** Loop devices that have a file and a node here. @throws Error when losetup fails */
export async function listLoops(): Promise<(Attached & Backing)[]> {
  const columns = "NAME,BACK-INO,BACK-MAJ:MIN,BACK-FILE,OFFSET,SIZELIMIT";
  const { stdout } = await exec(["losetup", "--list", "--json", "--output", columns], { timeoutMs: 10_000 });
  return parseLosetup(stdout).map((one) => ({ ...one, place: placeOf(one) }));
}

/** The path is as the kernel remembers it: the file may be gone, or be another one's namespace. */
function placeOf({ file, identity }: Attached): Backing["place"] {
  if (file.endsWith(" (deleted)")) return "deleted";
  const info = statSync(file, { throwIfNoEntry: false });
  if (info?.isBlockDevice()) return "device";
  if (!info || `${toNumber(info.dev)}:${info.ino}` !== identity) return "elsewhere";
  return inMemory.has(statfsSync(file).type) ? "memory" : "file";
}
