import { usageError } from "../../core/errors.ts";
import { readContext } from "../../operations/context.ts";
import { roles } from "../../roles/index.ts";
import { defineGroup, defineVerb } from "../command.ts";

const show = defineVerb({
  name: "show",
  summary: "print how to connect to a role, passwords included",
  example: "chime-node secrets show --role mysql --json",
  args: { role: { type: "string", hint: "ROLE", summary: "which role", required: true } },
  async run({ args, out }) {
    const role = roles.find((candidate) => candidate.name === args.role);
    if (!role) {
      const known = roles.map((candidate) => candidate.name).join(", ");
      throw usageError("usage.unknown_role", `there is no role ${args.role}`, `roles: ${known}`);
    }
    const { context } = await readContext();
    const connection = role.connection(context);
    const lines = Object.entries(connection).map(([key, value]) => `${key}: ${[value].flat().join(", ")}`);
    out.result(connection, lines.join("\n"));
  },
});

export const secrets = defineGroup("secrets", "how applications connect", [show]);
