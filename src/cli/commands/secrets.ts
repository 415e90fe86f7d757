import { connectionTo } from "../../operations/connection.ts";
import { readContext } from "../../operations/context.ts";
import { requireRoleNames } from "../../operations/role-names.ts";
import { defineGroup, defineVerb } from "../command.ts";

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

export const secrets = defineGroup("secrets", "how applications connect", [show]);
