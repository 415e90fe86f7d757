import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { readText } from "../../../host/files.ts";
import type { Session } from "../client.ts";
import type { Engine } from "../engine/types.ts";
import { copiedFile } from "./places.ts";

/** Longer than the contents of any cluster of few servers. */
const gtids = v.pipe(v.string(), v.maxLength(16_384));

/** Where a copy ends. It lies among the data until their server was told. */
const copiedSchema = v.object({
  source: v.pipe(v.string(), v.maxLength(64)),
  position: gtids,
  contents: gtids,
});
export type Copied = v.InferOutput<typeof copiedSchema>;

/** Tells a server that runs on a copy for the first time what it holds; nothing where it is no copy, or knows. */
export async function takeUpCopy(engine: Engine, data: string, session: Session): Promise<void> {
  const path = join(data, copiedFile);
  const text = await readText(path);
  if (text === undefined) return;
  const parsed = v.safeParse(copiedSchema, JSON.parse(text));
  if (!parsed.success || !engine.copy) {
    throw failed("mysql.bad_copy", `${path} does not tell where this copy ends`, {
      remedy: "chime-node join --rebuild with this node's name",
    });
  }
  const { position, contents, source } = parsed.output;
  await engine.copy.takeUp(session, { position, contents });
  await rm(path);
  log.info(`mysql: the copy of ${source} ends at ${position || "the very beginning"}`);
}
