import { scrubEnvironment } from "./cli/environment.ts";

// Before any other module runs: imports below would read the environment first if they were static.
scrubEnvironment(process.env);
const { main } = await import("./cli/run.ts");
await main(process.argv.slice(2));
