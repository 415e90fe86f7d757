import { histogram, percentiles, type Percentiles } from "./histogram.ts";
import type { Compared, Conceded } from "./load.ts";
import type { Round } from "./run.ts";

/** What a drill found, as `--json` prints it. */
export interface DrillReport {
  cluster: string;
  role: string;
  /** What the clients changed. */
  what: "rows" | "objects" | "points";
  rounds: { kind: string; victim: string; outage_ms: number; ended: boolean; level_seconds: number }[];
  /** Over all rounds of a kind. */
  kinds: Record<string, { rounds: number; unended: number; outage_ms: Percentiles }>;
  /** Changes that clients were told of. */
  acknowledged: number;
  /** By node: what was acknowledged and it does not hold as promised; null where it could not be asked. */
  missing: Record<string, number | null>;
  /** Reads under way that gave something else than what was acknowledged. */
  misread: number;
  /** What the layout does not promise (of a mirror: docs/minio.md): told, and no reason to fail. Null where it promises all. */
  conceded: Conceded | null;
  passed: boolean;
}

/** Passed: every outage ended, every node holds all that was acknowledged, and nothing else was ever read. */
export function drillReport(
  input: Compared & {
    cluster: string;
    role: string;
    what: DrillReport["what"];
    rounds: readonly Round[];
    acknowledged: number;
  },
): DrillReport {
  const { cluster, role, what, rounds, acknowledged, missing, misread, conceded } = input;
  const kinds: DrillReport["kinds"] = {};
  for (const kind of new Set(rounds.map((round) => round.kind))) {
    const seen = rounds.filter((round) => round.kind === kind).map(({ outage }) => outage);
    kinds[kind] = {
      rounds: seen.length,
      unended: seen.filter(({ ended }) => !ended).length,
      outage_ms: percentiles(seen.map(({ ms }) => Math.round(ms))),
    };
  }
  return {
    cluster,
    role,
    what,
    rounds: rounds.map(({ kind, victim, outage, levelSeconds }) => ({
      kind,
      victim,
      outage_ms: Math.round(outage.ms),
      ended: outage.ended,
      level_seconds: Math.round(levelSeconds * 10) / 10,
    })),
    kinds,
    acknowledged,
    missing,
    misread,
    conceded,
    passed:
      misread === 0 &&
      rounds.every(({ outage }) => outage.ended) &&
      Object.values(missing).every((count) => count === 0),
  };
}

/** The same for people: a line and a histogram a kind, then what was acknowledged. */
export function renderDrill(report: DrillReport): string {
  const sections = Object.entries(report.kinds).map(([kind, { rounds, unended, outage_ms }]) => {
    const { p50, p95, p99, max } = outage_ms;
    const never = unended > 0 ? `, ${unended} did not end` : "";
    const seen = report.rounds.filter((round) => round.kind === kind).map((round) => round.outage_ms);
    return `${kind}, ${rounds} ${rounds === 1 ? "round" : "rounds"}: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, max ${max} ms${never}\n${histogram(seen)}`;
  });
  const missing = Object.entries(report.missing).map(([node, count]) =>
    count === null ? `${node}: could not be asked` : `missing on ${node}: ${count}`,
  );
  const found = [acknowledged(report), ...missing, ...misread(report)].join(", ");
  const conceded = concededBy(report).map(
    (what) => `conceded by two stores that copy to each other: ${what}`,
  );
  return [...sections, [found, ...conceded].join("\n")].join("\n\n");
}

/** The same in one line, for the history. */
export function drillLine(report: DrillReport): string {
  const kinds = Object.entries(report.kinds).map(
    ([kind, { rounds, outage_ms }]) =>
      `${rounds} × ${kind} (p50 ${outage_ms.p50} ms, max ${outage_ms.max} ms)`,
  );
  const lost = Object.entries(report.missing).filter(([, count]) => count !== 0);
  const missing = lost.map(([node, count]) => `${count ?? "unknown"} missing on ${node}`);
  const found = missing.length > 0 ? missing : ["none missing"];
  const conceded = concededBy(report).map((what) => `conceded: ${what}`);
  return `${kinds.join(", ")}: ${[acknowledged(report), ...found, ...misread(report), ...conceded].join(", ")}`;
}

function acknowledged({ what, acknowledged: count }: DrillReport): string {
  return what === "points" ? `reads answered ${count}` : `${what} acknowledged ${count}`;
}

function misread({ misread: count }: DrillReport): string[] {
  return count === 0 ? [] : [`read as something else: ${count}`];
}

/** Nothing, or one. */
function concededBy({ conceded }: DrillReport): string[] {
  if (!conceded) return [];
  const { older_reads: older, undeleted } = conceded;
  const back = Object.entries(undeleted).filter(([, count]) => count > 0);
  const reads = `${older} ${older === 1 ? "read" : "reads"} of an earlier state`;
  return [[reads, ...back.map(([node, count]) => `${count} deleted that came back on ${node}`)].join(", ")];
}
