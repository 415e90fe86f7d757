import { join } from "node:path";
import type { Connection } from "../../src/operations/drill/database.ts";
import { Lab } from "../../test/lab/lab.ts";
import type { LoadResult, LoadSettings } from "../../test/lab/load-program.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { connectionOf, formPair } from "../../test/lab/pair.ts";
import { untilProtected } from "../../test/lab/trial.ts";
import { pairByHand, plainServer, untilLevel } from "./by-hand.ts";
import { median, type Row } from "./row.ts";

/** Who is written to, by name. */
interface Target {
  connection: Connection;
  /** Empty: nobody replicates. */
  pair: readonly LabNode[];
}

const names = ["ours", "byHand", "plain"] as const;
const connections = [1, 32] as const;
type Name = (typeof names)[number];

/**
 * Our pair, one that was made by hand with the same durability, and a plain server, in turns on one machine. Many short
 * turns: what else the machine does lasts longer than a round, and is the same for all of one.
 */
export async function measureCommits(
  options: { rounds: number; seconds: number },
  progress: (line: string) => void,
): Promise<Row[]> {
  const { rounds, seconds } = options;
  await using lab = await Lab.open({ nodes: ["node1", "node2"], progress });
  await using others = await Lab.open({ nodes: ["node1", "node2", "node3"], progress });
  const [first, second, alone] = others.nodes as [LabNode, LabNode, LabNode];
  progress("commits: a pair, one made by hand, and a plain server");
  await formPair(lab);
  const targets: Record<Name, Target & { lab: Lab }> = {
    ours: { lab, connection: await connectionOf(lab), pair: lab.nodes },
    byHand: { lab: others, connection: await pairByHand(first, second), pair: [first, second] },
    plain: { lab: others, connection: await plainServer(alone), pair: [] },
  };
  await untilProtected(lab);

  const found = new Map<string, LoadResult[]>();
  for (let round = 0; round < rounds; round++) {
    progress(`commits: round ${round + 1} of ${rounds}`);
    for (const count of connections) {
      // Whoever comes first in a round finds another machine than who comes last.
      for (const name of [...names.slice(round % names.length), ...names.slice(0, round % names.length)]) {
        const result = await load(targets[name], { connections: count, seconds });
        const key = `${name} ${count}`;
        found.set(key, [...(found.get(key) ?? []), result]);
      }
    }
  }
  return connections.flatMap((count) => rowsOf(count, (name) => found.get(`${name} ${count}`) ?? []));
}

async function load(
  { lab, connection, pair }: Target & { lab: Lab },
  options: Pick<LoadSettings, "connections" | "seconds">,
): Promise<LoadResult> {
  const settings: LoadSettings = { ...connection, ...options, table: "commits" };
  const argv = [process.execPath, join(import.meta.dir, "../../test/lab/load-program.ts")];
  const { stdout } = await lab.client.run(argv, {
    stdin: JSON.stringify(settings),
    timeoutMs: 60_000 + options.seconds * 1000,
  });
  const [first, second] = pair;
  if (first && second) await untilLevel(first, second);
  return JSON.parse(stdout) as LoadResult;
}

function rowsOf(count: number, of: (name: Name) => readonly LoadResult[]): Row[] {
  const commits = (name: Name) => of(name).map((result) => result.commits);
  const ratios = (name: Name) => commits("ours").map((value, i) => value / (commits(name)[i] ?? Number.NaN));
  const who = `${count} ${count === 1 ? "connection" : "connections"}`;
  const unit = "commits/s";
  return [
    { name: `our pair, ${who}`, values: commits("ours"), unit, target: null },
    { name: "  a pair made by hand", values: commits("byHand"), unit, target: null },
    { name: "  a plain server", values: commits("plain"), unit, target: null },
    {
      name: "  against the pair made by hand",
      values: ratios("byHand"),
      unit: "×",
      target: 0.95,
      atLeast: true,
    },
    { name: "  against the plain server", values: ratios("plain"), unit: "×", target: null },
    {
      name: "  whoever writes, of one core",
      values: [100 * median(names.flatMap((name) => of(name).map(({ cpu }) => cpu)))],
      unit: "%",
      target: null,
    },
  ];
}
