import type { Inertness } from "../engine/types.ts";

/** A line longer than this is data: what is looked for is short. */
const longestLine = 4096;

/** Makes lines of a dump, which a server would execute, ones that are only read. Takes it piece by piece, however it is cut. */
export class Inert {
  readonly #pattern: RegExp;
  readonly #put: string;
  #held = "";
  /** What is held goes on a line whose beginning was passed on already. */
  #within = false;

  constructor({ line, put }: Inertness) {
    this.#pattern = new RegExp(line.source, "gm");
    this.#put = put;
  }

  push(piece: Uint8Array): Uint8Array {
    // One byte, one character: rows hold anything.
    this.#held += Buffer.from(piece).toString("latin1");
    const end = this.#held.lastIndexOf("\n") + 1;
    const whole = this.#rewrite(this.#held.slice(0, end));
    this.#held = this.#held.slice(end);
    if (end > 0) this.#within = false;
    if (this.#held.length <= longestLine) return Buffer.from(whole, "latin1");
    return Buffer.concat([Buffer.from(whole, "latin1"), this.end()]);
  }

  /** What is left. */
  end(): Uint8Array {
    const rest = this.#rewrite(this.#held);
    if (this.#held !== "") this.#within = true;
    this.#held = "";
    return Buffer.from(rest, "latin1");
  }

  #rewrite(text: string): string {
    const from = this.#within ? text.indexOf("\n") + 1 || text.length : 0;
    return text.slice(0, from) + text.slice(from).replace(this.#pattern, this.#put);
  }
}
