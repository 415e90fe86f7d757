/** Prints the verdicts on the devices given as arguments, as this process's namespaces show them, and how long it took. */
import { lookAtDisks } from "../../src/host/disks/look.ts";

const wanted = process.argv.slice(2);
try {
  const start = performance.now();
  const disks = await lookAtDisks(({ path }) => wanted.includes(path));
  const ms = performance.now() - start;
  console.log(
    JSON.stringify({ ms, verdicts: disks.map(({ facts, verdict }) => [facts.device.path, verdict]) }),
  );
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
