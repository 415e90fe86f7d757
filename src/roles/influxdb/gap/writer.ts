import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Clock } from "../../../core/clock.ts";
import { ChimeError } from "../../../core/errors.ts";
import { writeLines } from "../write.ts";
import { inTurn, type Care } from "./pace.ts";
import type { Side } from "./sides.ts";

/** Lines in one request: as many as the server takes best, and fewer where clients are to get in between. */
const batchLines = 5_000;
const batchBytes = 4 << 20;
/** The least of it: a network is faster than a better one. */
const level = 1;
/** A server that is busy, or is being restarted, is asked again after so long, ms. */
const againMs = [250, 1_000, 4_000];
/** Where more lines are refused, each by itself, what is refused besides is not halved any more. */
const mostRefusedAlone = 100;
const unsayable =
  "a name or tag of it cannot be said in line protocol: it has a newline, ends in a backslash, or begins with a tab or #";
const passing = new Set(["influxdb.busy", "influxdb.starting"]);

const compress = promisify(gzip);

export interface WriterOptions {
  limits: Care;
  clock: Clock;
}

/** Writes lines into one side's bucket, a batch at a time, while the next one is gathered. */
export class Writer {
  readonly #side: Side;
  readonly #options: WriterOptions;
  #lines: string[] = [];
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();
  /** Lines that were sent; also those in it that the server has refused. */
  written = 0;
  /**
   * Points that the server does not take: their type is another one there, they are older than the retention, or it cannot read
   * their lines; and those that no line can say.
   */
  refused = 0;
  /** Why, of the last of them. */
  why: string | undefined;
  /** Lines that were refused each by itself. */
  #refusedAlone = 0;

  constructor(side: Side, options: WriterOptions) {
    this.#side = side;
    this.#options = options;
  }

  /** @throws ChimeError `influxdb.*` of an earlier batch */
  async add(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      this.#lines.push(line);
      this.#bytes += line.length + 1;
      if (
        this.#lines.length >= (this.#options.limits.pace?.size("writing") ?? batchLines) ||
        this.#bytes >= batchBytes
      )
        await this.#send();
    }
  }

  /** All that was added is stored, or was refused. @throws ChimeError `influxdb.*` */
  async flush(): Promise<void> {
    if (this.#lines.length > 0) await this.#send();
    await this.#writing;
  }

  /** What was sent is answered. Where more is to come this is too early. */
  async answered(): Promise<void> {
    await this.#writing.catch(() => undefined);
  }

  /** Waits for the batch before this one. */
  async #send(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    await this.#writing;
    this.#writing = this.#write(lines);
    // Whoever waits for it is told; until then nobody does.
    this.#writing.catch(() => undefined);
  }

  /** Points that no line can say (line.ts). */
  noteUnsayable(points: number): void {
    if (points > 0) this.#noteRefused(points, unsayable);
  }

  /** One line that the server cannot read has it refuse all of a batch: it is halved, until that line is alone. */
  async #write(lines: readonly string[]): Promise<void> {
    const { limits } = this.#options;
    const body = await compress(Buffer.from(`${lines.join("\n")}\n`, "latin1"), { level });
    try {
      await inTurn(limits, "writing", lines.length, () => this.#writeBody(body));
      this.written += lines.length;
    } catch (error) {
      if (!(error instanceof ChimeError && error.code === "influxdb.refused")) throw error;
      if (lines.length > 1 && this.#refusedAlone < mostRefusedAlone) {
        const half = Math.ceil(lines.length / 2);
        await this.#write(lines.slice(0, half));
        await this.#write(lines.slice(half));
        return;
      }
      this.#refusedAlone++;
      this.written += lines.length;
      this.#noteRefused(lines.length, error.message);
    }
  }

  /** Halted, it sends no more; what was sent is waited for: the server stores it all the same, behind a deletion that follows. */
  async #writeBody(body: Uint8Array): Promise<void> {
    const { clock, limits } = this.#options;
    const { server, bucket } = this.#side;
    const sent = { timeoutMs: limits.timeoutMs, signal: limits.abandon };
    for (const waitMs of [...againMs, undefined]) {
      limits.signal?.throwIfAborted();
      try {
        return await writeLines(server, { bucket: bucket.name, body, gzip: true }, sent);
      } catch (error) {
        if (!(error instanceof ChimeError)) throw error;
        if (error.code === "influxdb.partial")
          return this.#noteRefused(droppedOf(error.message), error.message);
        if (waitMs === undefined || !passing.has(error.code)) throw error;
        await clock.sleep(waitMs, limits.signal);
      }
    }
  }

  #noteRefused(points: number, why: string): void {
    this.refused += points;
    this.why = why;
  }
}

/** `… dropped=3`, `… dropped 3 points outside retention policy`: the good ones were stored. */
function droppedOf(message: string): number {
  const [, count] = /dropped[= ](\d+)/.exec(message) ?? [];
  return Number(count ?? 1);
}
