import { stat } from "node:fs/promises";
import { refused } from "../../../core/errors.ts";
import { breakFor, fullDisk } from "../../drill-unit.ts";

/** What a drill does to a server beyond killing it. */
const faults = ["hang", "disk-full"] as const;
type DrillFault = (typeof faults)[number];

export const isDrillFault = (word: string): word is DrillFault => faults.some((fault) => fault === word);

/** A server that hangs is given up after three to four seconds, s. */
const hangSeconds = 10;

/** Its server, and where it keeps its data. */
interface Broken {
  unit: string;
  data: string;
  node: string;
}

/**
 * Stops the server's processes, or fills its disk, for some seconds, and returns when it is over.
 * @throws ChimeError `drill.shared_disk` (exit 3): others would meet the full disk as well; of `breakFor`
 */
export async function drillServer(fault: DrillFault, { unit, data, node }: Broken): Promise<void> {
  const signal = (name: string) => ["/bin/systemctl", "kill", `--signal=${name}`, unit];
  if (fault === "hang") {
    await breakFor(`${signal("STOP").join(" ")} && sleep ${hangSeconds}`, unit, signal("CONT"));
    return;
  }
  const [own, above] = await Promise.all([stat(data), stat("/var/lib")]);
  if (own.dev === above.dev) {
    throw refused(
      "drill.shared_disk",
      `${data} on ${node} is no file system of its own: filled, it would stop the other services of ${node}, too`,
      "leave disk-full out, or give the data a disk of their own",
    );
  }
  await breakFor(fullDisk, data);
}
