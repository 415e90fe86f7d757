import { join } from "node:path";
import { Lab } from "../../test/lab/lab.ts";
import { LoopDevice } from "../../test/lab/loops.ts";
import { DiskMachine } from "../../test/lab/machine.ts";
import type { Row } from "./row.ts";

const count = 64;

/** Blank disks only, for those are looked at longest: whatever is refused early is not read. */
export async function measureDisks(runs: number, progress: (line: string) => void): Promise<Row[]> {
  await using lab = await Lab.open({ nodes: [], boot: false, progress });
  const machine = await DiskMachine.start(lab);
  progress(`disks: ${count} loop devices, ${runs} looks`);
  const disks: LoopDevice[] = [];
  for (let i = 0; i < count; i++) disks.push(await LoopDevice.attach(join(lab.work, "disks", `${i}.img`)));
  const values: number[] = [];
  for (let i = 0; i < runs; i++) {
    const { ms, found } = await machine.look(disks.map(({ path }) => path));
    const free = [...found.values()].filter(({ verdict }) => verdict.usable).length;
    if (free !== count) throw new Error(`${free} of ${count} blank disks are free`);
    values.push(ms / 1000);
  }
  return [{ name: `${count} blank disks looked at and judged`, values, unit: "s", target: 0.3 }];
}
