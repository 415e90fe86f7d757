import { readFile } from "node:fs/promises";
import { LabClients } from "./lab-clients.ts";
import type { Lab } from "./lab.ts";
import type { ObjectsReport, ObjectsSettings } from "./objects-program.ts";

type Options = Pick<ObjectsSettings, "store" | "bucket" | "holders"> & Partial<ObjectsSettings>;

/** Clients outside the cluster that put, write over, delete and read objects. */
export class ObjectLoad extends LabClients {
  readonly #file: string;

  private constructor({ settings, program }: ReturnType<typeof LabClients.run<Options>>) {
    super(settings, program);
    this.#file = settings.file;
  }

  /** Starts in the lab's client and returns once the first change is acknowledged. */
  static async start(lab: Lab, options: Options, firstMs = 60_000): Promise<ObjectLoad> {
    const numbers = { writers: 2, readers: 1, pauseMs: 5, requestMs: 5_000, levelMs: 60_000 };
    const load = new ObjectLoad(
      LabClients.run(lab, "objects-program.ts", { prefix: "lab/", ...numbers, ...options }),
    );
    await load.begun(firstMs);
    return load;
  }

  /** Ends them and has every object read back from each holder. */
  async report(): Promise<ObjectsReport> {
    await this.stop();
    return JSON.parse(await readFile(`${this.#file}.report`, "utf8")) as ObjectsReport;
  }
}
