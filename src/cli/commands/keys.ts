import { rotateKeys } from "../../operations/rotate-keys.ts";
import { defineGroup, defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

const rotate = defineVerb({
  name: "rotate",
  summary: "give the cluster another key for gossip's datagrams, while it runs",
  example: "chime-node keys rotate --yes",
  args: {
    timeout: {
      type: "duration",
      hint: "TIME",
      summary: "how long to wait for all members; the agents go on by themselves",
      default: "2m",
    },
  },
  async run(context) {
    const done = await rotateKeys(context.args, operationIo(context));
    context.out.result(done, `all members that are there have the new key alone, after ${done.seconds} s`);
  },
});

export const keys = defineGroup("keys", "the keys of what agents tell each other by UDP", [rotate]);
