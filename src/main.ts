import { cleanEnvironment, needsFreshProcess, scrubEnvironment } from "./cli/environment.ts";

const argv = process.argv.slice(2);
// The version is asked often and reads nothing that a variable could change: it need not start twice.
const harmless = argv[0] === "version" || argv[0] === "--version";
if (Bun.isStandaloneExecutable && !harmless && needsFreshProcess(process.env)) {
  // Throws rather than goes on unclean.
  process.execve?.(process.execPath, [process.execPath, ...argv], cleanEnvironment(process.env));
}
// Before any other module runs: were it imported statically, it would read the environment first.
scrubEnvironment(process.env);
const { main } = await import("./cli/run.ts");
await main(argv);
