import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { connectionOf } from "./pair.ts";
import type { Running } from "./process.ts";
import type { ProberSettings } from "./prober-program.ts";
import { sql } from "./sql.ts";
import type { Writers } from "./writer.ts";

/** A write that a node acknowledged; ms on the clock of `Date.now()`. */
export interface Probe {
  node: string;
  /** Or begun by the server. */
  sent: number;
  acknowledged: number;
}

/** The fastest change of writer leaves 0.16 s without one: there and back take longer. Two at once are 10 ms apart. */
const thereAndBackMs = 200;

/**
 * Moments in which two nodes acknowledged writes: writes of one that lie between two of the other, the later of which
 * began only then, closer together than any two changes of writer can be.
 * @param probes in any order
 */
export function dualMoments(probes: readonly Probe[]): Probe[] {
  const runs: Probe[][] = [];
  for (const probe of [...probes].sort((a, b) => a.acknowledged - b.acknowledged)) {
    const run = runs.at(-1);
    if (run?.[0]?.node === probe.node) run.push(probe);
    else runs.push([probe]);
  }
  return runs.flatMap((run, i) => {
    const before = runs[i - 1]?.at(-1);
    const after = runs[i + 1] ?? [];
    if (!before || before.node !== after[0]?.node) return [];
    return run.filter((probe) => {
      // An acknowledgement may be late on its way; one of a write that was sent after the other's was not.
      if (probe.sent < before.acknowledged) return false;
      const later = after.find(({ sent }) => sent > probe.acknowledged);
      return later !== undefined && later.acknowledged - before.sent < thereAndBackMs;
    });
  });
}

/** What clients of the VIP were told of, by what the rows say themselves: which server took them, and when. */
export async function commitTimes(node: LabNode, writers: Writers): Promise<Probe[]> {
  const { table, database } = writers.settings;
  const query = `SELECT id, server, UNIX_TIMESTAMP(noted) * 1000 FROM ${table}`;
  const rows = (await sql(node, query, database)).split("\n").map((line) => line.split("\t"));
  const taken = new Map(rows.map(([id, server = "", sent]) => [Number(id), { server, sent: Number(sent) }]));
  return (await writers.acknowledged()).flatMap(({ id, at }) => {
    const row = taken.get(id);
    return row ? [{ node: row.server, sent: row.sent, acknowledged: at }] : [];
  });
}

/** Clients that ask both nodes at once, past the VIP: who acknowledges writes? */
export class Prober {
  readonly #program: Running;

  private constructor(program: Running) {
    this.#program = program;
  }

  static async start(lab: Lab, names: readonly string[], everyMs = 10): Promise<Prober> {
    const settings: ProberSettings = {
      ...(await connectionOf(lab)),
      table: "lab_probes",
      nodes: Object.fromEntries(names.map((name) => [name, lab.node(name).address])),
      everyMs,
    };
    const argv = [process.execPath, join(import.meta.dir, "prober-program.ts")];
    return new Prober(lab.client.start(argv, { stdin: JSON.stringify(settings) }));
  }

  get probes(): Probe[] {
    return this.#program.lines.flatMap((line) => {
      const [node = "", sent, acknowledged] = line.split(" ");
      return acknowledged === undefined
        ? []
        : [{ node, sent: Number(sent), acknowledged: Number(acknowledged) }];
    });
  }

  async stop(): Promise<Probe[]> {
    this.#program.signal("SIGTERM");
    await this.#program.exited;
    return this.probes;
  }
}
