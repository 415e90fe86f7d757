import type { Args } from "./args.ts";

/** Arguments that several verbs take, so that they are read the same everywhere. */
export const sharedArgs = {
  name: { type: "string", hint: "NODE", summary: "this node's name; default: its host name" },
  ignore: {
    type: "words",
    hint: "CHECK[,CHECK]",
    summary: "preflight checks whose errors are to be warnings",
  },
  onlyRole: { type: "string", hint: "ROLE", summary: "only this role" },
} as const satisfies Args;
