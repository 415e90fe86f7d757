/**
 * The numbers of the README, as medians and ratios within one run: `scripts/bench [--json] [--quick] [ROW…]`, as root.
 * Wants an otherwise idle machine. --quick: fewer repetitions. ROW: form, failover, apply, agent, disks, version, install, offline;
 * or, only where they are named: `minio [--rounds N]`, all of the S3 store; `influxdb`, gaps between two servers; `drills [--rounds N] [--kind KIND,…]
 * [--[no-]witness]`, the whole matrix of faults, and `storm [--[no-]witness]`, ten minutes of full load in a bad network, each
 * with a witness and without.
 */
import { parseArgs } from "node:util";
import { interrupted } from "../test/lab/lab.ts";
import { labObstacle, LabUnavailable } from "../test/lab/prerequisites.ts";
import { measureFailover, measureForming, measureRest, withPair } from "./measure/pair.ts";
import { report, text, type Row } from "./measure/row.ts";
import { measureBundle } from "./measure/bundle.ts";
import { measureCommits } from "./measure/commits.ts";
import { measureDisks } from "./measure/disks.ts";
import { drillKinds, measureDrills, type DrillsOptions } from "./measure/drills.ts";
import { measureStore } from "./measure/store.ts";
import { measureStorm } from "./measure/storm.ts";
import { measureInfluxdb } from "./measure/influxdb.ts";
import { measureOffline } from "./measure/offline.ts";
import { measurePull } from "./measure/pull.ts";
import { measureInstall } from "./measure/install.ts";
import { measureVersion } from "./measure/version.ts";
import { buildBinary } from "./build.ts";

const names = ["form", "failover", "apply", "agent", "disks", "version", "install", "offline"] as const;
const known = [...names, "commits", "drills", "storm", "minio", "influxdb"] as const;

function progress(line: string): void {
  console.error(line);
}

/** Adds to `rows` what is known by and by: when one measurement fails, those before it are told all the same. */
async function measure(
  rows: Row[],
  wanted: readonly (typeof known)[number][],
  quick: boolean,
  { witness, ...drills }: Given,
): Promise<void> {
  const binary = await buildBinary();
  if (wanted.includes("version")) rows.push(...(await measureVersion(binary, quick ? 10 : 40, progress)));
  if (wanted.includes("install")) {
    rows.push(...(await measureInstall(binary, quick ? 3 : 10, progress)));
    rows.push(...(await measureBundle(binary, quick ? 3 : 10, progress)));
  }
  if (wanted.includes("offline")) {
    rows.push(...(await measurePull(quick ? 1 : 5, progress)));
    rows.push(...(await measureOffline(binary, quick ? 1 : 3, progress)));
  }
  if (wanted.includes("disks") || wanted.includes("minio"))
    rows.push(...(await measureDisks(quick ? 5 : 20, progress)));
  if (wanted.includes("form")) rows.push(...(await measureForming(binary, quick ? 1 : 3, progress)));
  if (wanted.some((name) => name === "apply" || name === "agent" || name === "failover")) {
    await withPair(progress, async (lab) => {
      if (wanted.includes("apply") || wanted.includes("agent")) {
        rows.push(...(await measureRest(lab, quick ? 3 : 10, quick ? 10 : 30, progress)));
      }
      if (wanted.includes("failover")) rows.push(...(await measureFailover(lab, quick ? 3 : 10, progress)));
    });
  }
  if (wanted.includes("commits")) {
    const options = { rounds: quick ? 6 : 21, seconds: 1.5 };
    rows.push(...(await measureCommits(options, progress)));
  }
  if (wanted.includes("minio")) {
    const options = { forms: quick ? 1 : 3, rounds: drills.rounds ?? 5 };
    rows.push(...(await measureStore(options, progress)));
  }
  if (wanted.includes("influxdb")) rows.push(...(await measureInfluxdb(quick ? 1 : 3, progress)));
  for (const third of witness === undefined ? [true, false] : [witness]) {
    const named = (row: Row) => ({ ...row, name: `${third ? "witness" : "two nodes"}: ${row.name}` });
    if (wanted.includes("storm")) {
      const seconds = quick ? 60 : 600;
      rows.push(...(await measureStorm({ seconds, witness: third }, progress)).map(named));
    }
    if (wanted.includes("drills")) {
      rows.push(...(await measureDrills({ ...drills, witness: third }, progress)).map(named));
    }
  }
}

/** `witness` undefined: once with, then once without. */
type Given = Omit<DrillsOptions, "witness"> & { witness: boolean | undefined };

/** @throws Error for what is no number, and for kinds that there are not */
function drillsOf(given: {
  rounds?: string;
  kind?: string;
  witness?: boolean | undefined;
  quick?: boolean;
}): Given {
  const rounds = given.rounds === undefined ? (given.quick ? 2 : undefined) : Number(given.rounds);
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1))
    throw new Error("--rounds takes a number from 1");
  const kinds = (given.kind ?? "").split(",").filter(Boolean);
  const unknown = kinds.find((kind) => !drillKinds.some((one) => one === kind));
  if (unknown !== undefined) throw new Error(`unknown kind ${unknown}`);
  return {
    rounds,
    kinds: drillKinds.filter((kind) => kinds.includes(kind)),
    witness: given.witness,
  };
}

async function main(): Promise<number> {
  const options = {
    json: { type: "boolean" },
    quick: { type: "boolean" },
    rounds: { type: "string" },
    kind: { type: "string" },
    witness: { type: "boolean" },
  } as const;
  let given;
  let drills: Given;
  try {
    given = parseArgs({ options, allowPositionals: true, allowNegative: true });
    const unknown = given.positionals.find((name) => !known.some((row) => row === name));
    if (unknown !== undefined) throw new Error(`unknown row ${unknown}`);
    drills = drillsOf(given.values);
  } catch (error) {
    const usage = `usage: scripts/bench [--json] [--quick] [${names.join("|")}]…
       scripts/bench drills [--json] [--rounds N] [--kind ${drillKinds.join(",")}] [--[no-]witness]
       scripts/bench minio [--json] [--quick] [--rounds N]
       scripts/bench influxdb [--json] [--quick]
       scripts/bench storm [--json] [--quick] [--[no-]witness]`;
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const wanted = given.positionals.length > 0 ? (given.positionals as (typeof known)[number][]) : names;
  const obstacle = wanted.every((name) => name === "version" || name === "install")
    ? undefined
    : labObstacle();
  if (obstacle) throw new LabUnavailable(obstacle);
  const rows: Row[] = [];
  try {
    await measure(rows, wanted, given.values.quick ?? false, drills);
  } finally {
    if (rows.length > 0) console.log(given.values.json ? JSON.stringify(report(rows), null, 2) : text(rows));
  }
  // Numbers are to be read; drills that came to no end are a failure.
  return report(rows).rows.some(({ unit, reached }) => unit === "drills" && reached === false) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (interrupted()) console.error("interrupted: the lab is taken down");
  else if (error instanceof LabUnavailable) console.error(error.message);
  else console.error(`the bench failed: ${(error as Error).message}`);
  process.exitCode = 1;
}
