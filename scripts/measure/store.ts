import { percentiles } from "../../src/operations/drill/histogram.ts";
import type { ObjectRequest } from "../../src/operations/drill/objects.ts";
import { rehearse, type Round } from "../../src/operations/drill/run.ts";
import { lastsSeconds } from "../../src/roles/drill-unit.ts";
import { bareAccount, bareBucket, startStore } from "../../test/lab/bare-store.ts";
import { chime } from "../../test/lab/chime.ts";
import type { Lab } from "../../test/lab/lab.ts";
import { minioBinary } from "../../test/lab/minio-binary.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { startObjects } from "../../test/lab/object-load.ts";
import type { Initialized } from "../../test/lab/pair.ts";
import { LabUnavailable } from "../../test/lab/prerequisites.ts";
import {
  applicationStore,
  formStore,
  joinStore,
  openStoreLab,
  storeInit,
  storeVip,
} from "../../test/lab/store.ts";
import { storeFaults, storeStage, untilWhole, type StoreFault } from "../../test/lab/store-faults.ts";
import { goodPerSecond, Load } from "../../test/lab/store-load.ts";
import type { Attempt } from "../../test/lab/store-load-program.ts";
import { waitUntil } from "../../test/lab/wait.ts";
import { endRow, faultRows } from "./faults.ts";
import { measureMirror } from "./mirror.ts";
import { timed } from "./pair.ts";
import { median, type Row } from "./row.ts";
import { startKeepalived } from "./vip-by-hand.ts";

type Progress = (line: string) => void;
type Target = Parameters<typeof goodPerSecond>[1];

/** What can be asked for alone. */
export const storeParts = ["form", "balancer", "drills", "two-nodes", "mirror"] as const;
export type StorePart = (typeof storeParts)[number];

export interface StoreOptions {
  parts: readonly StorePart[];
  /** How often it is formed, and how often each fault is done. */
  forms: number;
  rounds: number;
}

/** What is promised of an S3 store, but what the disks cost (`measureDisks`); each part is told when it is known. @throws LabUnavailable */
export async function measureStore(
  { parts, forms, rounds }: StoreOptions,
  progress: Progress,
  told: (rows: Row[]) => void,
): Promise<void> {
  const minio = await minioBinary(progress);
  if (minio === undefined) throw new LabUnavailable("MinIO has to be built, with Go >= 1.24 and its modules");
  if (parts.includes("form")) told(await measureForming(minio, forms, progress));
  if (parts.includes("balancer") || parts.includes("drills")) {
    await using lab = await formed(3, minio, progress);
    if (parts.includes("balancer")) told(await measureBalancer(lab, progress));
    if (parts.includes("drills")) told(await measureDrills(lab, rounds, progress));
  }
  if (parts.includes("two-nodes")) {
    await using lab = await formed(2, minio, progress);
    told(await measurePool(lab, rounds, progress));
  }
  if (parts.includes("mirror")) told(await measureMirror(minio, rounds, progress));
}

async function formed(nodes: number, minio: string, progress: Progress): Promise<Lab> {
  const lab = await openStoreLab(nodes, 3, minio);
  try {
    progress(`store: ${nodes} × 3`);
    await formStore(lab);
    await untilWhole(lab);
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** Bare nodes with blank disks until an object is stored, in turns with the same done by hand on all nodes at once. */
async function measureForming(minio: string, runs: number, progress: Progress): Promise<Row[]> {
  const hand: number[] = [];
  const ours: number[] = [];
  for (let run = 1; run <= runs; run++) {
    progress(`store: formed, ${run} of ${runs}`);
    {
      await using lab = await openStoreLab(3, 3, minio, { prepared: false });
      hand.push(await timed(() => formByHand(lab, minio)));
    }
    await using lab = await openStoreLab(3, 3, minio, { prepared: false });
    ours.push(await timed(() => formOurs(lab)));
    progress(`store: formed in ${ours.at(-1)?.toFixed(1)} s, by hand in ${hand.at(-1)?.toFixed(1)} s`);
  }
  return [
    {
      name: "3 × 3 by hand: packages, mkfs, first start, a PUT through the VIP",
      values: hand,
      unit: "s",
      target: null,
    },
    { name: "3 × 3 by init and join, until a PUT through the VIP", values: ours, unit: "s", target: null },
    { name: "  against by hand", values: [median(ours) / median(hand)], unit: "×", target: 1.3 },
  ];
}

/**
 * What a careful administrator does on all nodes at once, with the same packages, until an object is stored through the
 * VIP, as with ours: before, haproxy and keepalived were installed by hand, and neither was ever started.
 */
async function formByHand(lab: Lab, minio: string): Promise<void> {
  const packages = "keepalived haproxy xfsprogs";
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await Promise.all(
    lab.nodes.map(async (node) => {
      const disks = node.devices.map((path, i) => `disk /minio/disk${i + 1} ${path} &`);
      await node.sh(
        `apt-get update -q && apt-get install -y -q --no-install-recommends ${packages}
        disk() { mkfs.xfs -q "$2" && mkdir -p "$1" && mount -o noatime "$2" "$1"; }
        ${disks.join("\n")}
        wait`,
        { env, timeoutMs: 600_000 },
      );
    }),
  );
  const address = lab.nodes.map(async (node) => {
    await node.put("/etc/haproxy/haproxy.cfg", balanced(lab));
    await node.sh(`sysctl -q -w net.ipv4.ip_nonlocal_bind=1
      haproxy -c -q -f /etc/haproxy/haproxy.cfg && systemctl restart haproxy`);
    await startKeepalived(lab, node, storeVip);
  });
  await Promise.all([startStore(lab, minio), ...address]);
  await untilStored(lab, { address: storeVip, account: bareAccount, bucket: bareBucket });
}

/** From the manual, and no more. */
function balanced({ nodes }: Lab): string {
  const servers = nodes.map(({ name, address }) => `  server ${name} ${address}:9000 check inter 500`);
  return `defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
listen store
  bind ${storeVip}:9000
  option httpchk GET /minio/health/live
${servers.join("\n")}
`;
}

/** The application is told how to connect as soon as there is a cluster. */
async function formOurs(lab: Lab): Promise<void> {
  const [first] = lab.nodes as [LabNode];
  const { json } = await chime<Initialized>(first, storeInit(lab.nodes.length, first.devices.length));
  const [target] = await Promise.all([
    targetOf(lab),
    ...lab.nodes.map((node) => joinStore(node, json.token)),
  ]);
  await untilStored(lab, target);
}

/** The application's, through the VIP. */
async function targetOf(lab: Lab): Promise<Target> {
  const { credentials: account } = await applicationStore(lab.node("node1"));
  return { address: storeVip, account, bucket: "chime" };
}

async function untilStored(lab: Lab, target: Target): Promise<void> {
  await waitUntil("an object to be stored", 120_000, async () => {
    const load = await Load.start(lab, { ...target, workers: 1, bytes: 10_000, kinds: ["put"] });
    return (await load.stop()).some(isGood);
  });
}

/** Objects of 1 MB through haproxy and past it, in turns. */
async function measureBalancer(lab: Lab, progress: Progress): Promise<Row[]> {
  const target = await targetOf(lab);
  const past = { ...target, address: lab.node("node2").address };
  const rows: Row[] = [];
  for (const kind of ["put", "get"] as const) {
    const ratios: number[] = [];
    for (let round = 1; round <= 5; round++) {
      progress(`store: 1 MB, ${kind}, ${round} of 5`);
      const alone = await goodPerSecond(lab, past, kind);
      ratios.push((await goodPerSecond(lab, target, kind)) / alone);
    }
    const name = `${kind.toUpperCase()} of 1 MB through haproxy, against past it`;
    rows.push({ name, values: ratios, unit: "×", target: 0.85, atLeast: true });
  }
  return rows;
}

/** All faults in turns under clients of all kinds; every object is read back from each node at the end. */
async function measureDrills(lab: Lab, rounds: number, progress: Progress): Promise<Row[]> {
  const load = await startObjects(lab);
  const kinds = Array.from({ length: rounds }, () => Object.keys(storeFaults) as StoreFault[]).flat();
  const done: Round[] = [];
  const endedEarly = await rehearse(storeStage(lab, load), kinds, {
    before: (kind, nth) => progress(`store: ${kind}, ${nth} of ${kinds.length}`),
    told(round) {
      done.push(round);
      progress(
        `store: ${round.kind}: ${Math.round(round.outage.ms)} ms, whole after ${round.levelSeconds} s`,
      );
    },
  }).then(
    () => undefined,
    (error: Error) => `ended by ${kinds[done.length]}: ${error.message}`,
  );
  const { requests, faults, misread } = await load.report();
  const found = [...Object.values(faults).flat(), ...misread];
  const each = { unit: "s", by: "worst", spread: "percentiles" } as const;
  const rowsOf = (
    what: string,
    name: string,
    seconds: (round: Round) => number,
    target: number | null = null,
  ): Row[] => {
    const rounds = done.filter(({ kind }) => storeFaults[kind as StoreFault].what === what);
    if (rounds.length === 0) return [];
    const whole = rounds.map(({ levelSeconds }) => levelSeconds);
    return [
      { ...each, name: `3 × 3, ${name}`, values: rounds.map(seconds), target },
      { ...each, name: "  until everything is on all drives again", values: whole, target: null },
    ];
  };
  const gap = ({ at }: Round) => longestGap(requests, at) / 1000;
  const lasts = `for ${lastsSeconds} s`;
  return [
    ...rowsOf("kill", "kill -9 of a server: longest gap of a client", gap, 1),
    ...rowsOf("power", "power cut of a node: longest gap of a client", gap, 3),
    ...rowsOf("pulled", `a disk pulled ${lasts}: longest gap of a client`, gap),
    // The engine refuses uploads meanwhile, and nothing else.
    ...rowsOf(
      "full",
      `a disk full ${lasts}: time without an object stored`,
      ({ outage }) => outage.ms / 1000,
    ),
    ...faultRows(`acknowledged objects lost or changed in ${done.length} drills`, found),
    endRow(endedEarly),
  ];
}

/** What is looked at after a fault: longer than a client waits for an answer. */
const gapMs = 10_000;

/** The longest time between two good answers of any client, of those that were under way or began within `gapMs`. */
function longestGap(requests: readonly ObjectRequest[], at: number): number {
  const gaps = [...Map.groupBy(requests, ({ client }) => client).values()].map((own) => {
    const times = own.flatMap(({ at: began, ms, error, answered = [] }) =>
      error === null ? [...answered, began + ms] : answered,
    );
    return times.flatMap((time, i) => {
      const before = times[i - 1];
      return before !== undefined && time > at && before < at + gapMs ? [time - before] : [];
    });
  });
  return Math.max(0, ...gaps.flat());
}

/** A pool of two nodes reads on while one is away, and takes everything again when it is back. */
async function measurePool(lab: Lab, rounds: number, progress: Progress): Promise<Row[]> {
  const target = { ...(await targetOf(lab)), workers: 4, bytes: 10_000 };
  await (await Load.start(lab, { ...target, kinds: ["put"] })).stop();
  const failed = { kill: [] as number[], power: [] as number[] };
  const during: number[] = [];
  const late: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const kind of ["kill", "power"] as const) {
      progress(`store: 2 × 3, ${kind}, ${round} of ${rounds}`);
      const readers = await Load.start(lab, { ...target, kinds: ["get"] });
      const writers = await Load.start(lab, { ...target, kinds: ["put"], prefix: `${kind}-${round}` });
      const victim = lab.node(round % 2 === 0 ? "node1" : "node2");
      const at = kind === "kill" ? await victim.kill("minio") : await victim.powerOff();
      await Bun.sleep(8_000);
      const backAt = Date.now();
      if (kind === "power") await victim.boot();
      await untilWhole(lab);
      const reads = await readers.stop();
      failed[kind].push(reads.filter((read) => read.at > at - 5_000 && !isGood(read)).length);
      if (kind === "power") {
        during.push(...reads.filter((read) => read.at > at && read.at < backAt).map(({ ms }) => ms));
      }
      late.push(failedAfterFirst(await writers.stop(), kind === "power" ? backAt : at + 1_000));
    }
  }
  const { p50, p99 } = percentiles(during);
  return [
    count("2 × 3, kill -9 of a server: reads that fail", failed.kill, "reads"),
    count("2 × 3, power cut of a node: reads that fail", failed.power, "reads"),
    { name: "  reads during the loss, p50", values: [p50], unit: "ms", target: null },
    { name: "  reads during the loss, p99", values: [p99], unit: "ms", target: 10_000 },
    count("2 × 3, PUTs that fail after the first good one at the return", late, "PUTs"),
  ];
}

function count(name: string, values: number[], unit: "reads" | "PUTs"): Row {
  return { name, values, unit, target: 0, by: "sum" };
}

function failedAfterFirst(writes: readonly Attempt[], since: number): number {
  const first = Math.min(...writes.filter((one) => one.at > since && isGood(one)).map(({ at }) => at));
  return writes.filter((one) => one.at > first && !isGood(one)).length;
}

const isGood = ({ answer }: Attempt) => answer === 200;
