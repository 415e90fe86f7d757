import packageJson from "../package.json" with { type: "json" };
import { cleanEnvironment, needsFreshProcess, scrubEnvironment } from "./cli/environment.ts";

const argv = process.argv.slice(2);
if (argv.length === 1 && argv[0] === "--version") {
  // Monitoring asks often: nothing else is loaded, and `process.stdout` alone would cost as much as all the rest.
  console.log(`chime-node ${packageJson.version}`);
} else {
  if (Bun.isStandaloneExecutable && needsFreshProcess(process.env)) {
    // Throws rather than goes on unclean.
    process.execve?.(process.execPath, [process.execPath, ...argv], cleanEnvironment(process.env));
  }
  // Before any other module runs: were it imported statically, it would read the environment first.
  scrubEnvironment(process.env);
  const { main } = await import("./cli/run.ts");
  await main(argv);
}
