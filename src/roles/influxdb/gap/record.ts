import * as v from "valibot";
import { makeParents, readText, writeAtomically } from "../../../host/files.ts";
import type { Range } from "./time.ts";

/** A window that was filled. */
interface Done extends Range {
  bucket: string;
  measurement: string;
}

const recordSchema = v.array(
  v.object({ bucket: v.string(), measurement: v.string(), from: v.number(), to: v.number() }),
);

/**
 * How far a filling has come, so that one that was killed goes on from there. What it says is not trusted: what was
 * filled is compared at the end in any case, and a record that was wrong is dropped then.
 */
export class FillRecord {
  readonly #path: string;
  #done: Done[];

  private constructor(path: string, done: Done[]) {
    this.#path = path;
    this.#done = done;
  }

  /** A file that is not understood is nothing: the windows are compared again. */
  static async load(path: string): Promise<FillRecord> {
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), await readText(path));
    return new FillRecord(path, parsed.success ? parsed.output : []);
  }

  has(window: Done): boolean {
    return this.#done.some(
      (done) => isSame(done, window) && done.from <= window.from && window.to <= done.to,
    );
  }

  /** On the disk before it counts. @throws ChimeError `host.*`, `file.failed` */
  async add({ bucket, measurement, from, to }: Done): Promise<void> {
    const window: Done = { bucket, measurement, from, to };
    const touching = this.#done.filter(
      (done) => isSame(done, window) && done.from <= window.to && window.from <= done.to,
    );
    const whole = {
      ...window,
      from: Math.min(...[window, ...touching].map((each) => each.from)),
      to: Math.max(...[window, ...touching].map((each) => each.to)),
    };
    await this.#save([...this.#done.filter((done) => !touching.includes(done)), whole]);
  }

  /** Nothing of it is needed any more, or it was wrong. */
  async clear(): Promise<void> {
    if (this.#done.length > 0) await this.#save([]);
  }

  async #save(done: Done[]): Promise<void> {
    await makeParents(this.#path);
    await writeAtomically(this.#path, JSON.stringify(done), { mode: 0o600, uid: 0, gid: 0 });
    this.#done = done;
  }
}

function isSame(a: Done, b: Done): boolean {
  return a.bucket === b.bucket && a.measurement === b.measurement;
}
