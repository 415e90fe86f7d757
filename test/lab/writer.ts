import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import type { Running } from "./process.ts";
import { system } from "./system.ts";
import { waitUntil } from "./wait.ts";
import type { WriterSettings } from "./writer-program.ts";

type Options = Pick<WriterSettings, "host" | "user" | "password" | "database"> &
  Partial<Pick<WriterSettings, "port" | "table" | "connections" | "pauseMs" | "connectMs" | "statementMs">>;

/** One acknowledged row; `at` in ms on the clock of `Date.now()`. */
export interface Acknowledged {
  id: number;
  at: number;
}

/** A time in which no connection had a row acknowledged. */
export interface Outage {
  from: number;
  to: number;
  ms: number;
}

/** Clients outside the pair, which write through the VIP and remember what they were promised. */
export class Writers {
  readonly settings: WriterSettings;
  readonly #program: Running;

  private constructor(settings: WriterSettings, program: Running) {
    this.settings = settings;
    this.#program = program;
  }

  /** Starts writing in the lab's client and returns once the first row is acknowledged. */
  static async start(lab: Lab, options: Options, firstRowMs = 30_000): Promise<Writers> {
    const settings: WriterSettings = {
      port: 3306,
      table: "lab_rows",
      connections: 1,
      pauseMs: 0,
      connectMs: 150,
      statementMs: 300,
      ...options,
      file: join(lab.work, `acknowledged-${randomBytes(3).toString("hex")}`),
    };
    const argv = [process.execPath, join(import.meta.dir, "writer-program.ts")];
    const program = lab.client.start(argv, { stdin: JSON.stringify(settings) });
    const writers = new Writers(settings, program);
    const first = async () => {
      if (program.ended) throw new Error(`the writers ended: ${program.lines.slice(-3).join(" | ")}`);
      return (await writers.acknowledged()).length > 0;
    };
    await waitUntil("the first acknowledged row", firstRowMs, first, 50).catch((error: Error) => {
      program.signal("SIGKILL");
      throw new Error(`${error.message}: ${program.lines.at(-1) ?? ""}`);
    });
    return writers;
  }

  /** All acknowledged rows so far, by time. */
  async acknowledged(): Promise<Acknowledged[]> {
    const text = await readFile(this.settings.file, "utf8").catch(() => "");
    const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
    const rows = lines.filter(Boolean).map((line) => {
      const [id, at] = line.split(" ");
      return { id: Number(id), at: Number(at) };
    });
    return rows.sort((a, b) => a.at - b.at);
  }

  /** Waits for a row acknowledged after the given moment and returns it. */
  async acknowledgedAfter(moment: number, timeoutMs = 60_000): Promise<Acknowledged> {
    let row: Acknowledged | undefined;
    await waitUntil(
      "an acknowledged row",
      timeoutMs,
      async () => {
        row = (await this.acknowledged()).find((row) => row.at > moment);
        return row !== undefined;
      },
      25,
    );
    return row as Acknowledged;
  }

  /** Gaps between acknowledged rows of at least `minMs`. */
  async outages(minMs = 100): Promise<Outage[]> {
    return outages(await this.acknowledged(), minMs);
  }

  /**
   * Waits until writes go on after an event and returns what clients saw of it: the longest gap that ends after it.
   * @param moment ms on the clock of `Date.now()`
   * @param settleMs how long after the event the gap may begin at the latest
   */
  async outageAfter(moment: number, timeoutMs = 60_000, settleMs = 250): Promise<Outage> {
    const { at } = await this.acknowledgedAfter(moment + settleMs, timeoutMs);
    const gaps = outages(await this.acknowledged(), 0).filter((gap) => gap.to >= moment && gap.to <= at);
    return gaps.reduce((longest, gap) => (gap.ms > longest.ms ? gap : longest));
  }

  /** Ends the writers; the acknowledged rows stay readable. */
  async stop(): Promise<Acknowledged[]> {
    this.#program.signal("SIGTERM");
    await this.#program.exited;
    return this.acknowledged();
  }

  /** Ids that were acknowledged and are not on the node's server. */
  async missingOn(node: LabNode): Promise<number[]> {
    const query = `SELECT id FROM ${this.settings.table}`;
    const result = await node.run([system.client, "-N", "-B", "-e", query, this.settings.database]);
    const present = new Set(result.stdout.split("\n").filter(Boolean).map(Number));
    return (await this.acknowledged()).map((row) => row.id).filter((id) => !present.has(id));
  }
}

function outages(rows: readonly Acknowledged[], minMs: number): Outage[] {
  const gaps = rows.slice(1).map((row, i) => {
    const from = rows[i]?.at ?? row.at;
    return { from, to: row.at, ms: row.at - from };
  });
  return gaps.filter((gap) => gap.ms >= minMs);
}
