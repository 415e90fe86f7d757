import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { readText } from "../../../host/files.ts";
import type { Session } from "../client.ts";
import type { Engine } from "../engine/types.ts";
import { copiedFile, stagePath } from "./places.ts";
import { serverShell } from "./shell.ts";

/** Longer than the contents of any cluster of few servers. */
const gtids = v.pipe(v.string(), v.maxLength(16_384));

/** Where a copy ends. It lies among the data until their server was told. */
const copiedSchema = v.object({
  source: v.pipe(v.string(), v.maxLength(64)),
  position: gtids,
  contents: gtids,
});
export type Copied = v.InferOutput<typeof copiedSchema>;

/** Makes a copy that is whole `ready`: on disk, and then by one rename known to be. @param rest files that are not the server's */
export async function finishCopy(
  user: string,
  data: string,
  copied: Copied,
  rest: readonly string[],
): Promise<void> {
  const script = `part=$1 ready=$2 note=$3; shift 3
    cd "$part"; rm -f -- "$@"; cat >"$note"; cd /
    sync -f "$part"; mv -T -- "$part" "$ready"; sync -f "$ready"`;
  const args = [stagePath(data, "part"), stagePath(data, "ready"), copiedFile, ...rest];
  await serverShell(user, script, args, { stdin: `${JSON.stringify(copied)}\n` });
}

/** Tells a server that runs on a copy for the first time what it holds; nothing where it is no copy, or knows. */
export async function takeUpCopy(engine: Engine, data: string, session: Session): Promise<void> {
  const path = join(data, copiedFile);
  const text = await readText(path);
  if (text === undefined) return;
  const parsed = v.safeParse(copiedSchema, JSON.parse(text));
  if (!parsed.success) {
    throw failed("mysql.bad_copy", `${path} does not tell where this copy ends`, {
      remedy: "chime-node join --rebuild with this node's name",
    });
  }
  const { position, contents, source } = parsed.output;
  await engine.copy.takeUp(session, { position, contents });
  await rm(path);
  log.info(`mysql: the copy of ${source} ends at ${position || "the very beginning"}`);
}
