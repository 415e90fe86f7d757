import { readFile } from "node:fs/promises";
import { users } from "../../src/roles/minio/layout.ts";
import { LabClients } from "./lab-clients.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import type { ObjectsReport, ObjectsSettings } from "./objects-program.ts";
import { applicationStore, rootPassword } from "./store.ts";

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
    const numbers = { writers: 2, readers: 1, pauseMs: 5, requestMs: 5_000, levelMs: 60_000, isFresh: false };
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

/** The same as applications do it, whose access no change of the administrator's ends, and who wait as long as their clients do. */
export async function startApplications(
  lab: Lab,
  nodes: readonly LabNode[],
  prefix: string,
): Promise<ObjectLoad> {
  const [node] = nodes;
  if (!node) throw new Error("a store has nodes");
  const store = await applicationStore(node);
  const holders = Object.fromEntries(nodes.map(({ name, address }) => [name, { ...store, address }]));
  return ObjectLoad.start(lab, { store, bucket: "chime", prefix, holders, isFresh: true, requestMs: 60_000 });
}

/** Starts them on a whole store, through its VIP; every node's own server is compared with at the end. */
export async function startObjects(lab: Lab, options: Partial<ObjectsSettings> = {}): Promise<ObjectLoad> {
  const [node] = lab.nodes;
  if (!node) throw new Error("a store has nodes");
  const application = await applicationStore(node);
  // As the administrator: versions are not for applications to list.
  const secretKey = await rootPassword(node);
  const store = { ...application, credentials: { accessKey: users.root, secretKey } };
  const holders = Object.fromEntries(lab.nodes.map(({ name, address }) => [name, { ...store, address }]));
  return ObjectLoad.start(lab, { store, bucket: "chime", prefix: "drill/", holders, ...options });
}
