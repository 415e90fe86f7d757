/** What influxdb-program.ts starts for each repair. */
import { readFile } from "node:fs/promises";
import { systemClock } from "../../src/core/clock.ts";
import type { Server } from "../../src/roles/influxdb/client.ts";
import { FillRecord } from "../../src/roles/influxdb/gap/record.ts";
import { repairTwins } from "../../src/roles/influxdb/gap/repair.ts";
import type { Range } from "../../src/roles/influxdb/gap/time.ts";
import type { Repair } from "./influxdb-program.ts";

const given = (name: string): unknown => JSON.parse(process.env[name] ?? "");
const [mine, other] = given("SERVERS") as [Server, Server];
const began = performance.now();
const { filled, left } = await repairTwins(mine, other, given("RANGE") as Range, {
  limits: { timeoutMs: 60_000 },
  clock: systemClock,
  ignored: given("IGNORED") as string[],
  contents: false,
  isGentle: false,
  authority: undefined,
  record: await FillRecord.load(process.env["RECORD"] ?? ""),
});
if (left.length > 0) throw new Error("something is still missing");
/** The most that it ever was, kB. */
const [, peak] = /^VmHWM:\s*(\d+)/m.exec(await readFile("/proc/self/status", "utf8")) ?? [];
const repair: Repair = {
  points: filled.written.mine + filled.written.other,
  seconds: (performance.now() - began) / 1000,
  megabytes: Math.round(Number(peak) / 1000),
};
console.log(JSON.stringify(repair));
