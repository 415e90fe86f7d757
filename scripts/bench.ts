/**
 * The numbers of the README, as medians and ratios within one run: `scripts/bench [--json] [--quick] [ROW…]`, as root.
 * Wants an otherwise idle machine. --quick: fewer repetitions. ROW: form, failover, apply, agent, disks, version, install, offline;
 * or, only where they are named: `minio [--only PART,…] [--rounds N]`, all of the S3 store, or parts of it; `influxdb` with the
 * same, all of the twins; `drills [--rounds N] [--kind KIND,…] [--[no-]witness]`, the whole matrix of faults, and
 * `storm [--[no-]witness]`, ten minutes of full load in a bad network, each with a witness and without; `gossip [--only
 * PART,…]`, 256 nodes in a simulation, beside memberlist's where there is Go, and, where there can be a lab, twelve real agents.
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
import { measureStore, storeParts } from "./measure/store.ts";
import { measureStorm } from "./measure/storm.ts";
import { measureAgents } from "./measure/agents.ts";
import { measureGossip } from "./measure/gossip.ts";
import { measureMemberlist } from "./measure/memberlist.ts";
import { measureInfluxdb, twinParts } from "./measure/influxdb.ts";
import { measureOffline } from "./measure/offline.ts";
import { measurePull } from "./measure/pull.ts";
import { measureInstall } from "./measure/install.ts";
import { measureVersion } from "./measure/version.ts";
import { buildBinary } from "./build.ts";

const names = ["form", "failover", "apply", "agent", "disks", "version", "install", "offline"] as const;
const known = [...names, "commits", "drills", "storm", "minio", "influxdb", "gossip"] as const;

function progress(line: string): void {
  console.error(line);
}

/** Tells rows as they are known: when one measurement fails, those before it are told all the same. */
async function measure(
  told: (rows: Row[]) => void,
  wanted: readonly (typeof known)[number][],
  quick: boolean,
  { witness, parts, ...drills }: Given,
): Promise<void> {
  if (wanted.includes("gossip")) {
    if (parts.includes("simulation")) told(measureGossip(quick, progress));
    if (parts.includes("memberlist")) told(await measureMemberlist(quick, progress));
    const obstacle = parts.includes("agents") ? labObstacle() : "not asked for";
    if (obstacle) progress(`gossip: real agents are left out: ${obstacle}`);
    else told(await measureAgents({ seconds: quick ? 10 : 60, joins: 20 }, progress));
  }
  if (wanted.every((name) => name === "gossip")) return;
  const binary = await buildBinary();
  if (wanted.includes("version")) told(await measureVersion(binary, quick ? 10 : 40, progress));
  if (wanted.includes("install")) {
    told(await measureInstall(binary, quick ? 3 : 10, progress));
    told(await measureBundle(binary, quick ? 3 : 10, progress));
  }
  if (wanted.includes("offline")) {
    told(await measurePull(quick ? 1 : 5, progress));
    told(await measureOffline(binary, quick ? 1 : 3, progress));
  }
  if (wanted.includes("disks") || (wanted.includes("minio") && parts.includes("disks")))
    told(await measureDisks(quick ? 5 : 20, progress));
  if (wanted.includes("form")) told(await measureForming(binary, quick ? 1 : 3, progress));
  if (wanted.some((name) => name === "apply" || name === "agent" || name === "failover")) {
    await withPair(progress, async (lab) => {
      if (wanted.includes("apply") || wanted.includes("agent")) {
        told(await measureRest(lab, quick ? 3 : 10, quick ? 10 : 30, progress));
      }
      if (wanted.includes("failover")) told(await measureFailover(lab, quick ? 3 : 10, progress));
    });
  }
  if (wanted.includes("commits")) {
    const options = { rounds: quick ? 6 : 21, seconds: 1.5 };
    told(await measureCommits(options, progress));
  }
  if (wanted.includes("minio")) {
    const own = storeParts.filter((part) => parts.includes(part));
    const options = { parts: own, forms: quick ? 1 : 3, rounds: drills.rounds ?? 5 };
    if (own.length > 0) await measureStore(options, progress, told);
  }
  if (wanted.includes("influxdb")) {
    const own = twinParts.filter((part) => parts.includes(part));
    const options = { parts: own, runs: quick ? 1 : 3, rounds: drills.rounds ?? 5 };
    await measureInfluxdb(options, progress, told);
  }
  for (const third of witness === undefined ? [true, false] : [witness]) {
    const named = (row: Row) => ({ ...row, name: `${third ? "witness" : "two nodes"}: ${row.name}` });
    if (wanted.includes("storm")) {
      const seconds = quick ? 60 : 600;
      told((await measureStorm({ seconds, witness: third }, progress)).map(named));
    }
    if (wanted.includes("drills")) {
      told((await measureDrills({ ...drills, witness: third }, progress)).map(named));
    }
  }
}

const minioParts = ["disks", ...storeParts] as const;
const gossipParts = ["simulation", "memberlist", "agents"] as const;
const allParts = [...minioParts, ...twinParts, ...gossipParts] as const;

/** `witness` undefined: once with, then once without. `parts`: of minio, influxdb and gossip. */
type Given = Omit<DrillsOptions, "witness"> & {
  witness: boolean | undefined;
  parts: readonly (typeof allParts)[number][];
};

/** @throws Error for what is no number, and for kinds and parts that there are not */
function drillsOf(given: {
  rounds?: string;
  kind?: string;
  only?: string;
  witness?: boolean | undefined;
  quick?: boolean;
}): Given {
  const rounds = given.rounds === undefined ? (given.quick ? 2 : undefined) : Number(given.rounds);
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1))
    throw new Error("--rounds takes a number from 1");
  return {
    rounds,
    kinds: listed(given.kind, "kind", drillKinds),
    parts: given.only === undefined ? allParts : listed(given.only, "part", allParts),
    witness: given.witness,
  };
}

/** `a,b` of those that there are; none where none is given. */
function listed<T extends string>(given: string | undefined, what: string, known: readonly T[]): T[] {
  const names = (given ?? "").split(",").filter(Boolean);
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined) throw new Error(`unknown ${what} ${unknown}`);
  return known.filter((one) => names.includes(one));
}

async function main(): Promise<number> {
  const options = {
    json: { type: "boolean" },
    quick: { type: "boolean" },
    rounds: { type: "string" },
    kind: { type: "string" },
    only: { type: "string" },
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
       scripts/bench minio [--json] [--quick] [--rounds N] [--only ${minioParts.join(",")}]
       scripts/bench influxdb [--json] [--quick] [--rounds N] [--only ${twinParts.join(",")}]
       scripts/bench gossip [--json] [--quick] [--only ${gossipParts.join(",")}]
       scripts/bench storm [--json] [--quick] [--[no-]witness]`;
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const wanted = given.positionals.length > 0 ? (given.positionals as (typeof known)[number][]) : names;
  const obstacle = wanted.every((name) => name === "version" || name === "install" || name === "gossip")
    ? undefined
    : labObstacle();
  if (obstacle) throw new LabUnavailable(obstacle);
  const rows: Row[] = [];
  const told = (more: Row[]) => {
    rows.push(...more);
    if (more.length > 0) progress(text(more));
  };
  try {
    await measure(told, wanted, given.values.quick ?? false, drills);
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
