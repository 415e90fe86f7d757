import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { DrillReport } from "../../src/operations/drill/report.ts";
import { chime } from "./chime.ts";
import { influxdBinary } from "./influxdb-binary.ts";
import type { Lab } from "./lab.ts";
import { untilComplete } from "./twin-faults.ts";
import { formTwins, openTwinLab } from "./twins.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const influxd = long ? await influxdBinary() : undefined;
const why = influxd ? "" : " (skipped: --long, and Go >= 1.24, Rust and their modules)";

describe.skipIf(!influxd)(`chime-node drill --role influxdb${why}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    const disk = { path: "/var/lib/influxdb", sizeMiB: 512 };
    const nodes = ["node1", "node2"].map((name) => ({ name, data: disk }));
    lab = await openTwinLab(influxd ?? "", { nodes });
    await formTwins(lab);
    await untilComplete(lab);
  }, 240_000);
  afterAll(() => lab?.close());

  const drill = (kind: string) => {
    const words = ["drill", "--role", "influxdb", "--cluster", "chime", "--rounds", "1", "--kind", kind];
    return chime<DrillReport>(lab.node("node2"), words, { timeoutMs: 280_000 });
  };

  test("what a node cannot do to itself is refused, with what does it", async () => {
    for (const kind of ["cut", "power", "disk-pulled"]) {
      const { code, json } = await drill(kind);
      expect([code, json.error?.code]).toEqual([3, "drill.not_undoable"]);
      expect(json.error?.remedy).toContain("scripts/bench influxdb");
    }
  }, 60_000);

  for (const kind of ["kill", "hang", "disk-full"]) {
    test(`${kind}: reads go on, and every acknowledged point is on both at the end`, async () => {
      const { json } = await drill(kind);
      console.error(`${kind}: ${JSON.stringify(json.rounds ?? json.error)}`);
      expect(json).toMatchObject({ passed: true, misread: 0, missing: { node1: 0, node2: 0 } });
      // Its points are deleted as an operator's would be: recorded, on both.
      const kept = JSON.parse(
        await lab.node("node2").read("/var/lib/chime-node/influxdb-deletions.json"),
      ) as {
        predicate: string;
        done: string[];
      }[];
      expect(kept.at(-1)).toMatchObject({
        predicate: '_measurement="chime-node-drill"',
        done: ["node1", "node2"],
      });
    }, 300_000);
  }
});
