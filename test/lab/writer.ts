import type { Connection } from "../../src/operations/drill/database.ts";
import type { Acknowledged } from "../../src/operations/drill/outage.ts";
import { impatient, missing, type WriterSettings } from "../../src/operations/drill/writer.ts";
import { LabClients } from "./lab-clients.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { sql } from "./sql.ts";
import { waitUntil } from "./wait.ts";
import type { ProgramSettings } from "./writer-program.ts";

type Options = Connection &
  Partial<Pick<WriterSettings, "table" | "connections" | "pauseMs" | "connectMs" | "statementMs">>;

/** Clients outside the pair that insert rows. */
export class Writers extends LabClients {
  readonly settings: ProgramSettings;

  private constructor({ settings, program }: ReturnType<typeof LabClients.run<WriterSettings>>) {
    super(settings, program);
    this.settings = settings;
  }

  /** Starts writing in the lab's client and returns once the first row is acknowledged. */
  static async start(lab: Lab, options: Options, firstRowMs = 30_000): Promise<Writers> {
    const settings = { table: "lab_rows", connections: 1, pauseMs: 0, ...impatient, ...options };
    const writers = new Writers(LabClients.run(lab, "writer-program.ts", settings));
    await writers.begun(firstRowMs);
    return writers;
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
  async untilOn(nodes: readonly LabNode[], timeoutMs = 60_000): Promise<void> {
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
