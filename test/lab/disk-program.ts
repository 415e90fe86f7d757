/**
 * Prints the verdicts on the devices given as arguments, and who they are, as this process's namespaces show them, and
 * how long it took.
 */
import { identify } from "../../src/host/disks/identity.ts";
import { lookAtDisks } from "../../src/host/disks/look.ts";

const wanted = process.argv.slice(2);
try {
  const start = performance.now();
  const disks = await lookAtDisks(({ path }) => wanted.includes(path));
  const ms = performance.now() - start;
  const found = disks.map(({ facts, verdict }) => [
    facts.device.path,
    { verdict, identity: identify(facts) },
  ]);
  console.log(JSON.stringify({ ms, found }));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
