import { connectionTo } from "../../operations/connection.ts";
import { readContext } from "../../operations/context.ts";
import { requireRoleNames } from "../../operations/role-names.ts";
import { rotateSecrets } from "../../operations/rotate-secrets.ts";
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
    const lines = Object.entries(connection).map(([key, value]) => `${key}: ${[value].flat().join(", ")}`);
    out.result(connection, lines.join("\n") || `${args.role} has nothing that applications connect to`);
  },
});

const rotate = defineVerb({
  name: "rotate",
  summary: "give the administrator of a role's service another password, while it serves",
  example: "chime-node secrets rotate --role minio",
  args: {
    role: { type: "string", hint: "ROLE", summary: "which role: minio", required: true },
    timeout: {
      type: "duration",
      hint: "TIME",
      summary: "how long to wait for all nodes; the agents go on by themselves",
      default: "10m",
    },
  },
  async run(context) {
    const done = await rotateSecrets(context.args, operationIo(context));
    context.out.result(done, done.summary);
  },
});

export const secrets = defineGroup("secrets", "how applications connect, and a change of passwords", [
  show,
  rotate,
]);
