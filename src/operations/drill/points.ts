import { systemClock } from "../../core/clock.ts";
import type { Server } from "../../roles/influxdb/client.ts";
import { identifier, queryJson } from "../../roles/influxdb/influxql.ts";
import { writeLines } from "../../roles/influxdb/write.ts";
import { againMs, Clients } from "./clients.ts";

export interface PointSettings {
  /** Where clients write: every node, each by itself. */
  real: Server[];
  /** Where they read: the VIP. */
  vip: Server;
  bucket: string;
  measurement: string;
  readers: number;
  /** Points in one write, and the pause between two, ms. */
  batch: number;
  pauseMs: number;
  /** A request without an answer is given up after this, ms. */
  requestMs: number;
}

/** What one write carried. */
interface Batch {
  /** Of its first point. */
  first: number;
  /** When it was written, ms since the epoch: its points are a microsecond apart. */
  at: number;
  /** Some server acknowledged it. */
  sure: boolean;
}

/** What line protocol and InfluxQL could stumble over. */
const texts = [
  'a "quoted" one',
  "commas, and = signs",
  "two\nlines",
  "a return\r",
  "a\ttab",
  "back\\slash",
  "漢字 ü 🙂",
];
const tags = ["plain", "with space", "a,comma", "an=equals", "ü"];

/** A read may be answered from a moment before; what was acknowledged so long ago has to be in it, ms. */
const visibleMs = 5_000;

const text = (id: number): string => `${texts[id % texts.length]} ${id}`;

const escapedTag = (tag: string): string => tag.replace(/[,= ]/g, "\\$&");
const escapedText = (value: string): string => value.replace(/["\\]/g, "\\$&");

/** A point of every type, all from its number. */
function lineOf(measurement: string, id: number, atMs: number, offset: number): string {
  const tag = escapedTag(tags[id % tags.length] ?? "");
  const fields = [`f=${id / 7}`, `i=${id}i`, `u=${id}u`, `b=${id % 2 === 0}`, `s="${escapedText(text(id))}"`];
  return `${measurement},t=${tag} ${fields.join(",")} ${BigInt(atMs) * 1_000_000n + BigInt(offset) * 1_000n}`;
}

/**
 * Clients of the twins: one writes points of every type to both servers alike and tries nothing again, the others read the
 * last one through the VIP. What they were promised is an answer to a read.
 */
export class PointClients extends Clients {
  readonly settings: PointSettings;
  protected readonly count: number;
  protected readonly patienceMs: number;
  readonly #batches: Batch[] = [];
  #next = 0;
  #reads = 0;
  #misread = 0;

  constructor(settings: PointSettings) {
    super();
    this.settings = settings;
    this.count = settings.readers + 1;
    this.patienceMs = 2 * settings.requestMs;
  }

  /** Reads that lacked what was acknowledged seconds before. */
  get misread(): number {
    return this.#misread;
  }

  /** Points that at least one server acknowledged. */
  get points(): number {
    return this.#batches.filter(({ sure }) => sure).length * this.settings.batch;
  }

  protected async client(nth: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (nth === 0) {
        void this.#write();
        await systemClock.sleep(this.settings.pauseMs);
      } else if (!(await this.#read())) await systemClock.sleep(againMs);
      else await systemClock.sleep(this.settings.pauseMs);
    }
  }

  async #write(): Promise<void> {
    const { real, bucket, measurement, batch, requestMs: timeoutMs } = this.settings;
    const made: Batch = { first: this.#next, at: Date.now(), sure: false };
    this.#next += batch;
    this.#batches.push(made);
    const lines = Array.from({ length: batch }, (_, i) => lineOf(measurement, made.first + i, made.at, i));
    const body = lines.join("\n");
    const writes = real.map((server) => writeLines(server, { bucket, body }, { timeoutMs }));
    await Promise.all(
      writes.map((write) =>
        write.then(
          () => (made.sure = true),
          () => false,
        ),
      ),
    );
  }

  async #read(): Promise<boolean> {
    const { vip, bucket, measurement, requestMs: timeoutMs } = this.settings;
    const asked = Date.now();
    const due = this.#batches.findLast(({ at, sure }) => sure && at < asked - visibleMs);
    try {
      const statement = `SELECT last(i) FROM ${identifier(measurement)}`;
      const [tables = []] = await queryJson(vip, { db: bucket, rp: "autogen" }, [statement], { timeoutMs });
      const last = Number(tables[0]?.values[0]?.[1] ?? -1);
      if (due && last < due.first) this.#misread++;
      this.promise(this.#reads++);
      return true;
    } catch {
      return false;
    }
  }

  /** How many acknowledged points a server does not hold as they were written. @throws ChimeError `influxdb.*` */
  async missingOn(server: Server): Promise<number> {
    const { bucket, measurement, batch } = this.settings;
    let missing = 0;
    for (let at = 0; at < this.#batches.length; at += 100) {
      const some = this.#batches.slice(at, at + 100);
      const [from, to] = [some[0]?.at ?? 0, some.at(-1)?.at ?? 0];
      const statement = `SELECT b, f, i, s, u, t FROM ${identifier(measurement)} WHERE time >= ${from}ms AND time <= ${to + 1}ms`;
      const database = { db: bucket, rp: "autogen" };
      const [tables = []] = await queryJson(server, database, [statement], { timeoutMs: 30_000 }, "u");
      const held = new Set(tables.flatMap(({ values }) => values.map((row) => JSON.stringify(row))));
      for (const { first, at: ms } of some.filter(({ sure }) => sure)) {
        for (let id = first; id < first + batch; id++) {
          const time = ms * 1_000 + id - first;
          const row = [time, id % 2 === 0, id / 7, id, text(id), id, tags[id % tags.length]];
          if (!held.has(JSON.stringify(row))) missing++;
        }
      }
    }
    return missing;
  }
}
