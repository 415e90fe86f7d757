import type { LabNode } from "../../test/lab/node.ts";

/** Memory of the agent's process, and the CPU time of its whole unit, so that its children count. */
export async function agentUsage(
  node: LabNode,
  seconds: number,
): Promise<{ megabytes: number; percent: number }> {
  const pid = await node.mainPid("chime-node");
  const before = await cpuSeconds(node, pid);
  await Bun.sleep(seconds * 1000);
  const used = (await cpuSeconds(node, pid)) - before;
  const rollup = (await node.run(["cat", `/proc/${pid}/smaps_rollup`])).stdout;
  const kilobytes = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]);
  return { megabytes: kilobytes / 1000, percent: (100 * used) / seconds };
}

/** utime, stime and those of children that were waited for: fields 14 to 17 of stat in proc(5), in 1/100 s. */
async function cpuSeconds(node: LabNode, pid: number): Promise<number> {
  const stat = (await node.run(["cat", `/proc/${pid}/stat`])).stdout;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}
