import { buildBinary } from "../../scripts/build.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import type { Initialized, Status } from "./pair.ts";
import { waitUntil } from "./wait.ts";

/** Joins at once: more would wait for the two cores, and find that agents answer slowly. */
const atOnce = 3;

/** The first node makes a cluster and runs nothing, all others join as witnesses: agents and gossip alone. */
export async function formWitnesses(lab: Lab, nodes: readonly LabNode[] = lab.nodes): Promise<Initialized> {
  const [first, ...others] = nodes;
  if (!first) throw new Error("a cluster needs a node");
  const binary = await buildBinary();
  await Promise.all(nodes.map((node) => node.install(binary)));
  const { json } = await chime<Initialized>(first, ["init"]);
  for (let at = 0; at < others.length; at += atOnce) {
    await Promise.all(
      others.slice(at, at + atOnce).map((node) =>
        node.run(["chime-node", "join", "--role", "witness"], {
          env: { CHIME_TOKEN: json.token },
          timeoutMs: 60_000,
        }),
      ),
    );
  }
  return json;
}

/** What one node says of the members, by name. */
export async function view(node: LabNode): Promise<Record<string, string>> {
  const { json } = await chime<Status>(node, ["status"]);
  return Object.fromEntries(json.members.map(({ name, state }) => [name, state]));
}

/** Until each of these says so of everybody named. */
export async function untilSeen(
  nodes: readonly LabNode[],
  names: readonly string[],
  state: string,
  timeoutMs: number,
): Promise<void> {
  for (const node of nodes) {
    await waitUntil(
      `${node.name} to see ${names.join(", ")} ${state}`,
      timeoutMs,
      async () => {
        const seen = await view(node);
        return names.every((name) => seen[name] === state);
      },
      100,
    );
  }
}
