import type { VerbTable } from "./command.ts";

/** Every verb, in the order of `--help`. A new verb is one module and one line here. */
export const verbs: VerbTable = {
  version: async () => (await import("./commands/version.ts")).version,
};
