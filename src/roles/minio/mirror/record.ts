import * as v from "valibot";
import { paths } from "../../../core/paths.ts";
import { makeParents, readText, writeAtomically } from "../../../host/files.ts";
import { newStanding, type Standing } from "./standing.ts";

const since = v.nullable(v.pipe(v.string(), v.isoTimestamp(), v.maxLength(40)));

/** As it is published and kept. */
export const standingSchema = v.object({
  current: v.boolean(),
  alone: since,
  levelled: since,
  agreed: since,
  active: v.boolean(),
});

const recordSchema = v.object({
  ...standingSchema.entries,
  /** The run of the server (systemd's invocation) that this is about: another one is not current. */
  run: v.string(),
});
type Kept = v.InferOutput<typeof recordSchema>;

const nothing: Kept = { ...newStanding, run: "" };

/** What a node of a mirror must remember of its store over restarts of its agent, its server and its machine. */
export class StandingRecord {
  readonly #path: string;
  #kept: Kept;
  #changing: Promise<void> = Promise.resolve();

  private constructor(path: string, kept: Kept) {
    this.#path = path;
    this.#kept = kept;
  }

  /** A file that is not understood is nothing: the store is compared with the other one then. */
  static async load(path: string = paths.minioMirror): Promise<StandingRecord> {
    const text = await readText(path);
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), text);
    return new StandingRecord(path, parsed.success ? parsed.output : nothing);
  }

  get standing(): Standing {
    const { run: _, ...standing } = this.#kept;
    return standing;
  }

  get run(): string {
    return this.#kept.run;
  }

  /** One after the other, each from what the one before has left; on the disk before it counts. @throws ChimeError `host.*` */
  change(by: (kept: Kept) => Partial<Kept>): Promise<void> {
    const changed = this.#changing.then(() => this.#change(by));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #change(by: (kept: Kept) => Partial<Kept>): Promise<void> {
    const next = { ...this.#kept, ...by(this.#kept) };
    if (Bun.deepEquals(next, this.#kept)) return;
    await makeParents(this.#path);
    await writeAtomically(this.#path, JSON.stringify(next), { mode: 0o600, uid: 0, gid: 0 });
    this.#kept = next;
  }
}
