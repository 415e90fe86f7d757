/**
 * Bare nodes on this machine become a service that stays up, and are broken before your eyes:
 * `scripts/demo [--role mysql|minio|influxdb] [--kills 3] [--cuts 2]`, as root.
 */
import { parseArgs } from "node:util";
import { interrupted } from "../test/lab/lab.ts";
import { LabUnavailable, labObstacle } from "../test/lab/prerequisites.ts";
import { buildBinary } from "./build.ts";
import { demonstratePair } from "./demonstrate/pair.ts";
import { demonstrateStore } from "./demonstrate/store.ts";
import { demonstrateTwins } from "./demonstrate/twins.ts";
import { step, type Times } from "./demonstrate/told.ts";

const demonstrations = {
  mysql: demonstratePair,
  minio: (_binary: string, times: Times) => demonstrateStore(times),
  influxdb: (_binary: string, times: Times) => demonstrateTwins(times),
};

async function main(): Promise<number> {
  const options = { role: { type: "string" }, kills: { type: "string" }, cuts: { type: "string" } } as const;
  let demonstrate: (typeof demonstrations)[keyof typeof demonstrations];
  let kills: number;
  let cuts: number;
  try {
    const { values } = parseArgs({ options });
    const { role = "mysql" } = values;
    if (!Object.hasOwn(demonstrations, role)) throw new Error("--role takes mysql, minio or influxdb");
    demonstrate = demonstrations[role as keyof typeof demonstrations];
    [kills, cuts] = [Number(values.kills ?? 3), Number(values.cuts ?? 2)];
    if (!(kills >= 0 && cuts >= 0)) throw new Error("--kills and --cuts take a number");
  } catch (error) {
    console.error(
      `${(error as Error).message}\nusage: scripts/demo [--role mysql|minio|influxdb] [--kills N] [--cuts N]`,
    );
    return 2;
  }
  // Before anything is built: nobody wants to wait to be told that it was for nothing.
  const obstacle = labObstacle();
  if (obstacle) throw new LabUnavailable(obstacle);

  const binary = await buildBinary();
  step("built dist/chime-node");
  return demonstrate(binary, { kills, cuts });
}

try {
  process.exitCode = await main();
} catch (error) {
  if (interrupted()) console.error("interrupted: the lab is taken down");
  else if (error instanceof LabUnavailable) console.error(error.message);
  else console.error(`the demo failed: ${(error as Error).message}`);
  process.exitCode = 1;
}
