import { chime } from "../../test/lab/chime.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { initWords, vip, type Initialized } from "../../test/lab/pair.ts";
import { openTwinLab, twinSettings, twinVip } from "../../test/lab/twins.ts";
import { timed } from "./pair.ts";
import type { Row } from "./row.ts";

type Progress = (line: string) => void;

/** A database and twins on the same two nodes: formed by one line on each, and what it costs to apply them again. */
export async function measureTwoRoles(influxd: string, runs: number, progress: Progress): Promise<Row[]> {
  await using lab = await openTwinLab(influxd);
  const words = [...initWords(vip).slice(1), "--vip", `influxdb=${twinVip}`, ...twinSettings()];
  const { json } = await chime<Initialized>(lab.node("node1"), words);
  const join = async (node: LabNode) => {
    const env = { CHIME_TOKEN: json.token };
    await node.run(["chime-node", "join", "--role", "mysql,influxdb"], { timeoutMs: 600_000, env });
  };
  progress("influxdb: two roles on the same two nodes");
  const formed = await timed(() => Promise.all(lab.nodes.map(join)));
  const walls: number[] = [];
  const changes: number[] = [];
  for (let run = 1; run <= runs; run++) {
    for (const node of lab.nodes) {
      const apply = async () => {
        const applied = await chime<{ changes: unknown[] }>(node, ["apply", "--yes"]);
        if (applied.json.error) throw new Error(applied.json.error.message);
        changes.push(applied.json.changes.length);
      };
      walls.push(await timed(apply));
    }
  }
  return [
    { name: "join --role mysql,influxdb on both", values: [formed], unit: "s", target: null },
    { name: "second apply with both roles", values: walls, unit: "s", target: 1.2 },
    { name: "  changes made", values: changes, unit: "changes", target: 0, by: "sum" },
  ];
}
