import { rotateAuthority, showAuthority, type AuthorityView } from "../../operations/rotate-authority.ts";
import { requireIdentity, requireRoot } from "../../operations/context.ts";
import { defineGroup, defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";
import { table } from "../table.ts";

const show = defineVerb({
  name: "show",
  summary: "tell until when the cluster's CA is good, and where a rotation of it stands",
  example: "chime-node ca show --json",
  args: {},
  async run(context) {
    requireRoot();
    await requireIdentity();
    const found = await showAuthority(operationIo(context).signal);
    const rows = found.members.map(({ name, address, witness, state }) => [
      name,
      address,
      state,
      witness ? "no" : "yes",
    ]);
    const members = table([["MEMBER", "ADDRESS", "STATE", "HOLDS THE CA"], ...rows]);
    context.out.result(found, `${standing(found)}\n\n${members}`);
  },
});

function standing({ stage, ends, awaiting }: AuthorityView): string {
  const good = `the CA is good until ${ends}`;
  if (stage === null) return awaiting === null ? good : `${good}\n${awaiting}`;
  const waits =
    awaiting ?? "the new CA signs, the old one is trusted as well: chime-node ca rotate --finish drops it";
  return `${good}\nrotation, stage ${stage} of 4: ${waits}`;
}

const rotate = defineVerb({
  name: "rotate",
  summary: "put another CA in the place of the cluster's, while it runs; its end waits for --finish",
  example: "chime-node ca rotate --yes",
  args: {
    finish: { type: "flag", summary: "drop the old CA, which ends what is still going by it" },
    timeout: {
      type: "duration",
      hint: "TIME",
      summary: "how long to wait for all members; the agents go on by themselves",
      default: "5m",
    },
  },
  async run(context) {
    const done = await rotateAuthority(context.args, operationIo(context));
    context.out.result(
      done,
      done.stage === null
        ? `the new CA alone is trusted, after ${done.seconds} s`
        : `the new CA signs, after ${done.seconds} s; the old one is trusted until chime-node ca rotate --finish`,
    );
  },
});

export const ca = defineGroup("ca", "the cluster's CA, by which members and services know each other", [
  show,
  rotate,
]);
