import { readdir } from "node:fs/promises";
import { isMissing } from "../../../host/files.ts";
import { copyDirectory, kept, stagePath, stages, type Stage } from "./places.ts";
import { endPrograms } from "./program.ts";
import { serverShell } from "./shell.ts";

/** How far a copy in this data directory is; undefined where there is none. */
export async function readStage(data: string): Promise<Stage | undefined> {
  const names: string[] = await readdir(`${data}/${copyDirectory}`).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return stages.findLast((stage) => names.includes(stage)) ?? (names.length > 0 ? "part" : undefined);
}

/** The data are neither the old nor the new ones: no server may start on them. */
export function isBetween(stage: Stage | undefined): boolean {
  return stage === "clear" || stage === "fill";
}

/** Drops a copy that was not put in place. */
export async function dropCopy(data: string, user: string): Promise<void> {
  await endPrograms("fetch");
  await serverShell(user, 'rm -rf -- "$1"', [`${data}/${copyDirectory}`]);
}

/**
 * Puts a copy that is `ready` in the place of the data, or goes on where a killed run of this stopped. From its first
 * rename on the old data go. The server must be down.
 */
export async function putInPlace(data: string, user: string): Promise<void> {
  await endPrograms("fetch");
  const path = (stage: Stage) => stagePath(data, stage);
  const stage = await readStage(data);
  if (stage === "ready") await rename(user, path("ready"), path("clear"));
  if (stage === "ready" || stage === "clear") {
    await clearData(data, user);
    await rename(user, path("clear"), path("fill"));
  }
  if (stage !== undefined && stage !== "part") {
    await serverShell(user, fill, [path("fill"), data, `${data}/${copyDirectory}`]);
  }
}

/** Leaves what is `kept`, and looks into none of it. */
export async function clearData(data: string, user: string): Promise<void> {
  await serverShell(user, clear, [data, ...kept.flatMap((name) => ["!", "-name", name])]);
}

const clear = `data=$1; shift
  find "$data" -mindepth 1 -maxdepth 1 "$@" -exec rm -rf -- {} +
  sync -f "$data"`;

/** Whatever stands in the way came from a start by hand in between. */
const fill = `cd "$1"
  find . -mindepth 1 -maxdepth 1 | while IFS= read -r entry; do
    rm -rf -- "$2/$entry"
    mv -T -- "$entry" "$2/$entry"
  done
  cd /; sync -f "$2"; rmdir -- "$1" "$3"; sync -f "$2"`;

async function rename(user: string, from: string, to: string): Promise<void> {
  await serverShell(user, 'mv -T -- "$1" "$2"; sync -f "$2"', [from, to]);
}
