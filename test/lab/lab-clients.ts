import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Clients } from "../../src/operations/drill/clients.ts";
import { awaitOutage, gaps, type Acknowledged, type Outage } from "../../src/operations/drill/outage.ts";
import type { Lab } from "./lab.ts";
import type { Running } from "./process.ts";
import { waitUntil } from "./wait.ts";

/** Of a program that runs a drill's clients in the lab's client; what it writes is read here. */
export interface ClientsFile {
  /** Lines "ID MILLISECONDS", by time, the time on the clock of `Date.now()`. */
  file: string;
}

/** What a program says that has stopped its clients and goes on by the next SIGTERM. */
export const atRest = "at rest";

/** The program's half: appends what is acknowledged until it is told to stop. */
export async function appendAcknowledged(clients: Clients, { file }: ClientsFile): Promise<void> {
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  const out = await open(file, "a");
  let flushed = 0;
  const flush = async () => {
    const rows = clients.acknowledged.slice(flushed);
    flushed += rows.length;
    if (rows.length > 0) await out.write(rows.map(({ id, at }) => `${id} ${at.toFixed(2)}\n`).join(""));
  };
  clients.start();
  console.log("writing");
  while (!stop.signal.aborted) {
    await flush();
    await Bun.sleep(20);
  }
  await clients.stop();
  await flush();
  await out.close();
}

/** Clients outside the cluster, which write through the VIP and remember what they were promised. */
export class LabClients {
  readonly #file: string;
  readonly #program: Running;
  readonly #rows: Acknowledged[] = [];
  /** Bytes of the file that are in `#rows`. */
  #read = 0;
  #reading: Promise<void> = Promise.resolve();

  protected constructor(settings: ClientsFile, program: Running) {
    this.#file = settings.file;
    this.#program = program;
  }

  /** Starts a program in the lab's client; its settings come on stdin: a password has no place in argv. */
  protected static run<T extends object>(
    lab: Lab,
    program: string,
    options: T,
  ): { settings: T & ClientsFile; program: Running } {
    const file = join(lab.work, `acknowledged-${randomBytes(3).toString("hex")}`);
    const settings = { ...options, file };
    const argv = [process.execPath, join(import.meta.dir, program)];
    return { settings, program: lab.client.start(argv, { stdin: JSON.stringify(settings) }) };
  }

  /** Returns once something is acknowledged. */
  protected async begun(timeoutMs: number): Promise<void> {
    const program = this.#program;
    const first = async () => {
      if (program.ended) throw new Error(`the clients ended: ${program.lines.slice(-3).join(" | ")}`);
      return (await this.acknowledged()).length > 0;
    };
    await waitUntil("the first acknowledged change", timeoutMs, first, 50).catch((error: Error) => {
      program.signal("SIGKILL");
      throw new Error(`${error.message}: ${program.lines.at(-1) ?? ""}`);
    });
  }

  /** All that was acknowledged so far, by time. */
  async acknowledged(): Promise<readonly Acknowledged[]> {
    this.#reading = this.#reading.then(() => this.#readOn());
    await this.#reading;
    return this.#rows.slice();
  }

  /** What the program has written since: it writes whole lines, by time. */
  async #readOn(): Promise<void> {
    const file = await open(this.#file, "r").catch(() => undefined);
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

  /** Waits for a change acknowledged after the given moment and returns it. */
  async acknowledgedAfter(moment: number, timeoutMs = 60_000): Promise<Acknowledged> {
    let row: Acknowledged | undefined;
    await waitUntil(
      "an acknowledged change",
      timeoutMs,
      async () => {
        row = (await this.acknowledged()).find((row) => row.at > moment);
        return row !== undefined;
      },
      25,
    );
    return row as Acknowledged;
  }

  /** Gaps between acknowledged changes of at least `minMs`. */
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

  /** Has a program stop its clients that says `atRest` then. */
  protected async rest(): Promise<void> {
    this.#program.signal("SIGTERM");
    await waitUntil("the clients to rest", 30_000, () => this.#program.lines.includes(atRest));
  }

  /** Ends the clients; what was acknowledged stays readable. */
  async stop(): Promise<readonly Acknowledged[]> {
    this.#program.signal("SIGTERM");
    await this.#program.exited;
    return this.acknowledged();
  }
}
