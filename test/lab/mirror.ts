import type { Status } from "../../src/agent/status.ts";
import { paths } from "../../src/core/paths.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { waitUntil } from "./wait.ts";

/** On a loaded machine much of it is the start of a server. */
const levelMs = 180_000;

/** Level, and both may serve: by the word of both. */
export async function untilLevel(lab: Lab): Promise<void> {
  await waitUntil("both stores to be level", levelMs, async () => {
    const said = await Promise.all(lab.nodes.map((node) => chime<Status>(node, ["status"])));
    return said.every(({ json }) => json.healthy);
  });
}

/** Its own store, as it runs now, holds what counts: that it had before a fault is not meant. */
export async function untilCurrent(node: LabNode): Promise<void> {
  await waitUntil(`the store of ${node.name}, started anew, to be current`, levelMs, async () => {
    const unit = await node.run(["systemctl", "show", "-P", "InvocationID", "minio"]);
    const { run, current } = JSON.parse((await node.run(["cat", paths.minioMirror])).stdout);
    return current && run === unit.stdout.trim();
  });
}
