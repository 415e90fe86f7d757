import { connectionText, connectionTo } from "../../operations/connection.ts";
import { readContext } from "../../operations/context.ts";
import { requireRoleNames } from "../../operations/role-names.ts";
import { retireSecrets, rotateSecrets } from "../../operations/rotate-secrets.ts";
import { defineGroup, defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

const show = defineVerb({
  name: "show",
  summary: "print how to connect to a role, passwords included",
  example: "chime-node secrets show --role mysql --json",
  args: { role: { type: "string", hint: "ROLE", summary: "which role", required: true } },
  async run({ args, out }) {
    requireRoleNames([args.role]);
    const { context } = await readContext();
    const connection = connectionTo(context, args.role);
    out.result(connection, connectionText(connection, args.role));
  },
});

const timeout = {
  type: "duration",
  hint: "TIME",
  summary: "how long to wait for all nodes; the agents go on by themselves",
  default: "10m",
} as const;

const rotate = defineVerb({
  name: "rotate",
  summary: "give a role's service another password, or its applications another key, while it serves",
  example: "chime-node secrets rotate --role minio --application",
  args: {
    role: { type: "string", hint: "ROLE", summary: "which role: minio", required: true },
    application: {
      type: "flag",
      summary: "what applications hold: the new one beside the old one, until secrets retire",
    },
    timeout,
  },
  async run(context) {
    const done = await rotateSecrets(context.args, operationIo(context));
    context.out.result(done, done.summary);
  },
});

const retire = defineVerb({
  name: "retire",
  summary: "refuse what applications used before the last secrets rotate --application",
  example: "chime-node secrets retire --role minio",
  args: {
    role: { type: "string", hint: "ROLE", summary: "which role: minio", required: true },
    timeout,
  },
  async run(context) {
    const done = await retireSecrets(context.args, operationIo(context));
    context.out.result(done, done.summary);
  },
});

export const secrets = defineGroup("secrets", "how applications connect, and a change of passwords", [
  show,
  rotate,
  retire,
]);
