import { usageError } from "../../core/errors.ts";
import { joinCluster } from "../../operations/join.ts";
import { rebuildNode } from "../../operations/rebuild.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";
import { sharedArgs } from "../shared-args.ts";

export const join = defineVerb({
  name: "join",
  summary: "enter the cluster if not yet in it, take roles, and wait until they are ready here",
  example: "CHIME_TOKEN=chime1.… chime-node join --role mysql",
  args: {
    role: { type: "words", hint: "ROLE[,ROLE]", summary: "what this node is to do" },
    rebuild: {
      type: "string",
      hint: "NODE",
      summary: "this node's name: replace its data by a copy of the node that serves",
    },
    token: { type: "string", hint: "TOKEN", summary: "better: CHIME_TOKEN, --token-file or a prompt" },
    tokenFile: { type: "string", hint: "FILE", summary: "default: /etc/chime-node/token where it exists" },
    address: {
      type: "string",
      hint: "IP",
      summary: "this node's address; default: the one that reaches the cluster",
    },
    name: sharedArgs.name,
    timeout: { type: "duration", summary: "how long to wait for readiness", default: "10m" },
    wait: { type: "flag", summary: "return once everything is installed and configured", default: true },
    disk: {
      type: "list",
      hint: "DEV",
      summary:
        "a whole blank disk for a role that stores on disks, or auto:NxSIZE; or all that a reset left, with their data",
    },
    ignore: sharedArgs.ignore,
  },
  async run(context) {
    const { args, out } = context;
    const { rebuild } = args;
    if (rebuild !== undefined) {
      const rebuilt = await rebuildNode({ ...args, node: rebuild }, operationIo(context));
      return out.result(rebuilt, rebuilt.summary);
    }
    if (args.role.length === 0) {
      throw usageError(
        "usage.missing_argument",
        "join needs --role ROLE[,ROLE]",
        "see chime-node join --help",
      );
    }
    const joined = await joinCluster(
      { ...args, binary: process.execPath, askToken: () => out.askSecret("token") },
      operationIo(context),
    );
    out.result(joined, joined.summary);
  },
});
