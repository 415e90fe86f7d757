import { planNode } from "../../operations/converge.ts";
import { planJson, renderPlan } from "../../plan/render.ts";
import { defineVerb } from "../command.ts";
import { sharedArgs } from "../shared-args.ts";

export const plan = defineVerb({
  name: "plan",
  summary: "show what apply would change on this node, and change nothing",
  example: "chime-node plan --role mysql",
  args: { role: sharedArgs.onlyRole },
  async run({ args, out }) {
    out.progress("looking at this node");
    const { changes, total, toml, mayBeLost } = await planNode(args.role);
    if (toml === "edited") out.note("cluster.toml was edited here: apply publishes it to all members first");
    if (toml === "missing") out.note("cluster.toml is missing here: apply puts the cluster's in its place");
    const lines = Object.entries(mayBeLost).map(([role, { line }]) => `${role}: ${line}`);
    const stands = Object.entries(mayBeLost).map(([role, { reads, writes }]) => [role, { reads, writes }]);
    const json = { ...planJson(changes, total), may_be_lost: Object.fromEntries(stands) };
    out.result(json, [renderPlan(changes, total), ...lines].join("\n"));
  },
});
