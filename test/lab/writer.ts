import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Connection } from "../../src/operations/drill/database.ts";
import { awaitOutage, gaps, type Acknowledged, type Outage } from "../../src/operations/drill/outage.ts";
import { impatient, missing, type WriterSettings } from "../../src/operations/drill/writer.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import type { Running } from "./process.ts";
import { sql } from "./sql.ts";
import { waitUntil } from "./wait.ts";
import type { ProgramSettings } from "./writer-program.ts";

type Options = Connection &
  Partial<Pick<WriterSettings, "table" | "connections" | "pauseMs" | "connectMs" | "statementMs">>;

/** Clients outside the pair, which write through the VIP and remember what they were promised. */
export class Writers {
  readonly settings: ProgramSettings;
  readonly #program: Running;
  readonly #rows: Acknowledged[] = [];
  /** Bytes of the file that are in `#rows`. */
  #read = 0;
  #reading: Promise<void> = Promise.resolve();

  private constructor(settings: ProgramSettings, program: Running) {
    this.settings = settings;
    this.#program = program;
  }

  /** Starts writing in the lab's client and returns once the first row is acknowledged. */
  static async start(lab: Lab, options: Options, firstRowMs = 30_000): Promise<Writers> {
    const settings: ProgramSettings = {
      table: "lab_rows",
      connections: 1,
      pauseMs: 0,
      ...impatient,
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
  async acknowledged(): Promise<readonly Acknowledged[]> {
    this.#reading = this.#reading.then(() => this.#readOn());
    await this.#reading;
    return this.#rows.slice();
  }

  /** What the program has written since: it writes whole lines, by time. */
  async #readOn(): Promise<void> {
    const file = await open(this.settings.file, "r").catch(() => undefined);
    if (!file) return;
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(size - this.#read),
        0,
        size - this.#read,
        this.#read,
      );
      const text = buffer.toString("utf8", 0, bytesRead);
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      this.#read += whole.length;
      for (const line of whole.split("\n").filter(Boolean)) {
        const [id, at] = line.split(" ");
        this.#rows.push({ id: Number(id), at: Number(at) });
      }
    } finally {
      await file.close();
    }
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
    return gaps(await this.acknowledged(), minMs);
  }

  /**
   * Waits until writes go on after an event and returns what clients saw of it; see `awaitOutage`.
   * @param moment ms on the clock of `Date.now()`
   */
  outageAfter(moment: number, timeoutMs = 60_000, settleMs = 250): Promise<Outage> {
    return awaitOutage(() => this.acknowledged(), { at: moment, settleMs }, { timeoutMs });
  }

  /** Ends the writers; the acknowledged rows stay readable. */
  async stop(): Promise<readonly Acknowledged[]> {
    this.#program.signal("SIGTERM");
    await this.#program.exited;
    return this.acknowledged();
  }

  /** Ids that were acknowledged before this call, or are given, and are not on the node's server. */
  async missingOn(node: LabNode, rows?: readonly Acknowledged[]): Promise<number[]> {
    const told = rows ?? (await this.acknowledged());
    const held = await sql(node, `SELECT id FROM ${this.settings.table}`, this.settings.database);
    return missing(told, held.split("\n").filter(Boolean).map(Number));
  }

  /**
   * Waits until the nodes hold every row that was acknowledged before this call: received is promised, applied follows.
   * @throws Error with how many are missing where
   */
  async untilOn(nodes: readonly LabNode[], timeoutMs = 30_000): Promise<void> {
    const rows = await this.acknowledged();
    for (const node of nodes) {
      let lacks: number[] = [];
      const whole = async () => (lacks = await this.missingOn(node, rows)).length === 0;
      await waitUntil(`every row on ${node.name}`, timeoutMs, whole).catch((error: Error) => {
        throw new Error(`${error.message}: ${lacks.length} of ${rows.length} are missing`);
      });
    }
  }
}
