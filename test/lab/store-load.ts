import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { Running } from "./process.ts";
import type { Attempt, LoadSettings } from "./store-load-program.ts";
import { waitUntil } from "./wait.ts";

interface LoadOptions {
  address: string;
  account: LoadSettings["account"];
  bucket: string;
  workers: number;
  bytes: number;
  /** Those that only get get what a load that put had as its first objects, with as many workers and the same prefix. */
  kinds: LoadSettings["kinds"];
  prefix?: string;
}

/** Clients at work until `stop`, which returns all that they tried. */
export class Load {
  readonly #program: Running;

  private constructor(program: Running) {
    this.#program = program;
  }

  /** Returns once the first request is answered. */
  static async start(lab: Lab, options: LoadOptions): Promise<Load> {
    const { address, prefix = "o", ...others } = options;
    const settings: LoadSettings = { endpoint: `http://${address}:9000`, prefix, ...others };
    const file = join(import.meta.dir, "store-load-program.ts");
    const program = lab.client.start([process.execPath, file], { stdin: JSON.stringify(settings) });
    await waitUntil("the clients' first answer", 30_000, () => program.ended || program.lines.length > 0);
    return new Load(program);
  }

  async stop(): Promise<Attempt[]> {
    this.#program.signal("SIGTERM");
    await this.#program.exited;
    const said = await this.#program.stdout;
    if (said.startsWith("[")) return JSON.parse(said) as Attempt[];
    throw new Error(`the clients ended: ${this.#program.lines.slice(-5).join(" | ")}`);
  }
}

/** The longest time between two good answers, for each worker, ms. */
export function longestGaps(attempts: readonly Attempt[]): number[] {
  return [...new Set(attempts.map(({ worker }) => worker))].map((worker) => {
    const good = attempts.filter((one) => one.worker === worker && one.answer === 200);
    const times = good.map(({ at, ms }) => at + ms).sort((a, b) => a - b);
    return Math.max(0, ...times.map((time, i) => time - (times[i - 1] ?? time)));
  });
}

/** Objects of 1 MB a second that four clients put or get there. */
export async function goodPerSecond(
  lab: Lab,
  options: Pick<LoadOptions, "address" | "account" | "bucket">,
  kind: "put" | "get",
): Promise<number> {
  const load = await Load.start(lab, {
    ...options,
    workers: 4,
    bytes: 1_000_000,
    kinds: [kind],
    prefix: "mb",
  });
  await Bun.sleep(3_000);
  const attempts = await load.stop();
  const times = attempts.filter(({ answer }) => answer === 200).map(({ at, ms }) => at + ms);
  return (1_000 * (times.length - 1)) / (Math.max(...times) - Math.min(...times));
}
