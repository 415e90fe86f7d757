import { isOlderRead, isUndeleted } from "../../src/operations/drill/conceded.ts";
import type { ObjectFault } from "../../src/operations/drill/objects.ts";
import { chime } from "../../test/lab/chime.ts";
import type { Status } from "../../src/agent/status.ts";
import type { Lab } from "../../test/lab/lab.ts";
import { untilCurrent, untilLevel } from "../../test/lab/mirror.ts";
import { startObjects, type ObjectLoad } from "../../test/lab/object-load.ts";
import { formStore, openStoreLab } from "../../test/lab/store.ts";
import { endRow, faultRows, objects } from "./faults.ts";
import type { Row } from "./row.ts";

type Progress = (line: string) => void;

const kinds = ["kill", "power"] as const;
type Kind = (typeof kinds)[number];

/** What a fault was to clients and to the stores, s. */
interface Drill {
  kind: Kind;
  again: number;
  level: number;
}

/**
 * Two nodes whose stores copy to each other lose the one that serves, by kill -9 and by power cut in turns, under clients
 * of all kinds. What was acknowledged (its answer was there before the fault or came after it) is read back at the end, by
 * its hash, from each of the two.
 */
export async function measureMirror(minio: string, rounds: number, progress: Progress): Promise<Row[]> {
  await using lab = await openStoreLab(2, 3, minio);
  progress("store: mirror");
  await formStore(lab, { "roles.minio.topology": "mirror" });
  await untilLevel(lab);
  const load = await startObjects(lab);
  const wanted = Array.from({ length: rounds }, () => kinds).flat();
  const done: Drill[] = [];
  let endedEarly: string | undefined;
  for (const [i, kind] of wanted.entries()) {
    progress(`store: mirror, ${kind}, ${i + 1} of ${wanted.length}`);
    try {
      const drill = await drillOf(lab, load, kind);
      done.push(drill);
      progress(
        `store: mirror, ${kind}: ${drill.again.toFixed(2)} s, level after ${drill.level.toFixed(1)} s`,
      );
    } catch (error) {
      endedEarly = `ended by ${kind}: ${(error as Error).message}`;
      break;
    }
  }
  const { faults, misread } = await load.report();
  const changed = misread.filter((fault) => !isOlderRead(fault));
  const found: (ObjectFault | string)[] = [...Object.values(faults).flat(), ...changed];
  return [
    ...kinds.flatMap((kind) => rowsOf(kind, done)),
    ...faultRows(
      `mirror: acknowledged objects lost or changed on a store in ${done.length} drills`,
      found.filter((fault) => !isConceded(fault)),
    ),
    objects("  deleted ones that came back (conceded)", found.filter(isConceded).length, null),
    objects(
      "  reads that gave something older while a store was away (conceded)",
      misread.length - changed.length,
      null,
    ),
    endRow(endedEarly),
  ];
}

function isConceded(fault: ObjectFault | string): boolean {
  return typeof fault !== "string" && isUndeleted(fault);
}

async function drillOf(lab: Lab, load: ObjectLoad, kind: Kind): Promise<Drill> {
  const victim = lab.node((await statusOf(lab)).vips[0]?.holders[0] ?? "");
  const at = kind === "kill" ? await victim.kill("minio") : await victim.powerOff();
  const outage = await load.outageAfter(at);
  if (kind === "power") await victim.boot();
  const back = performance.now();
  await untilCurrent(victim);
  await untilLevel(lab);
  return { kind, again: outage.ms / 1000, level: (performance.now() - back) / 1000 };
}

function rowsOf(kind: Kind, done: readonly Drill[]): Row[] {
  const own = done.filter((drill) => drill.kind === kind);
  if (own.length === 0) return [];
  const name = kind === "kill" ? "mirror, kill -9 of the server" : "mirror, power cut of the node";
  const each = { unit: "s", by: "worst" } as const;
  return [
    { ...each, name: `${name}: writes again`, values: own.map(({ again }) => again), target: 1.5 },
    { ...each, name: "  both level after the return", values: own.map(({ level }) => level), target: 20 },
  ];
}

async function statusOf(lab: Lab): Promise<Status> {
  const node = lab.nodes.find(({ running }) => running);
  if (!node) throw new Error("no node is running");
  return (await chime<Status>(node, ["status"])).json;
}
