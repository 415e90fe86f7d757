import { readFile } from "node:fs/promises";
import { LabClients } from "./lab-clients.ts";
import type { Lab } from "./lab.ts";
import type { PointsReport, PointsSettings } from "./points-program.ts";
import { untilEqual } from "./twin-faults.ts";
import { shown, twinVip } from "./twins.ts";

type Settings = Omit<PointsSettings, "file">;

/** Clients outside the cluster that write points to both servers and read through the VIP. */
export class PointLoad extends LabClients {
  readonly #lab: Lab;
  readonly #file: string;

  private constructor(lab: Lab, { settings, program }: ReturnType<typeof LabClients.run<Settings>>) {
    super(settings, program);
    this.#lab = lab;
    this.#file = settings.file;
  }

  /** A thousand points a second. Returns once the first read is answered. */
  static async start(lab: Lab): Promise<PointLoad> {
    const node = lab.node("node1");
    const { org, bucket, token, ca_file: caFile } = await shown(node);
    const ca = caFile === undefined ? undefined : await node.read(caFile);
    const at = (address: string) => ({ address, port: 8086, ca, org, token });
    const settings: Settings = {
      real: lab.nodes.map(({ address }) => at(address)),
      vip: at(twinVip),
      bucket,
      measurement: "load",
      readers: 4,
      batch: 20,
      pauseMs: 20,
      requestMs: 500,
    };
    const load = new PointLoad(lab, LabClients.run(lab, "points-program.ts", settings));
    await load.begun(30_000);
    return load;
  }

  /**
   * Ends them, waits until what they gave up is filled, and has every point read back from each server. On a busy machine they
   * give up writes up to the end that nobody else notices: those are found within a minute or two.
   */
  async report(): Promise<PointsReport> {
    await this.rest();
    await untilEqual(this.#lab);
    await this.stop();
    return JSON.parse(await readFile(`${this.#file}.report`, "utf8")) as PointsReport;
  }
}
