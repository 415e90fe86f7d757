import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { influxdBinary } from "../../test/lab/influxdb-binary.ts";
import { runInNamespaces } from "../../test/lab/namespaces.ts";
import { LabUnavailable } from "../../test/lab/prerequisites.ts";
import type { Measured } from "./influxdb-program.ts";
import type { Row } from "./row.ts";
import { measureTwinFaults, measureTwinForming } from "./twins.ts";
import { measureTwinFill } from "./twin-fill.ts";
import { measureTwoRoles } from "./two-roles.ts";

type Progress = (line: string) => void;

const limitMs = 900_000;

/** What can be asked for alone. */
export const twinParts = ["gaps", "form", "faults", "roles"] as const;

interface Options {
  parts: readonly (typeof twinParts)[number][];
  /** How often gaps are filled and twins are formed, and how often each fault is done. */
  runs: number;
  rounds: number;
}

/** What is promised of twins; each part is told when it is known. @throws LabUnavailable */
export async function measureInfluxdb(
  { parts, runs, rounds }: Options,
  progress: Progress,
  told: (rows: Row[]) => void,
): Promise<void> {
  const binary = await influxdBinary(progress);
  if (binary === undefined) {
    throw new LabUnavailable("InfluxDB has to be built, with Go >= 1.24, Rust, and their modules");
  }
  if (parts.includes("gaps")) {
    told(await measureGaps(binary, runs, progress));
    told(await measureTwinFill(binary, runs, progress));
  }
  if (parts.includes("form")) told(await measureTwinForming(binary, runs, progress));
  if (parts.includes("faults")) told(await measureTwinFaults(binary, rounds, progress));
  if (parts.includes("roles")) told(await measureTwoRoles(binary, 5, progress));
}

/** Finding and filling gaps, between two servers on this machine. */
async function measureGaps(binary: string, rounds: number, progress: Progress): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), "chime-influxdb-"));
  try {
    progress("influxdb: two servers with 5 million points, and what one of them lacks");
    const env = { INFLUXD: binary, DIRECTORY: directory, ROUNDS: String(rounds) };
    const argv = [process.execPath, join(import.meta.dir, "influxdb-program.ts")];
    const { code, stdout, stderr } = await runInNamespaces(argv, env, limitMs);
    if (code !== 0) throw new Error(`influxdb: ${stderr.trim().split("\n").at(-1)}`);
    return rowsOf(JSON.parse(stdout) as Measured);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function rowsOf({ found, repaired, filled, memory }: Measured): Row[] {
  return [
    { name: "gap of 110 s at 1,000 points/s among 5 M points: found", values: found, unit: "s", target: 2 },
    { name: "  found, filled and proven", values: repaired, unit: "s", target: null },
    {
      name: "1 M points filled and proven, unthrottled",
      values: filled,
      unit: "points/s",
      target: 50_000,
      atLeast: true,
    },
    {
      name: "  memory of its process, which does nothing else",
      values: memory,
      unit: "MB",
      target: 150,
      by: "worst",
    },
  ];
}
