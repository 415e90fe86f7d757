import { replaceDisk } from "../../operations/replace-disk.ts";
import { defineGroup, defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

const replace = defineVerb({
  name: "replace",
  summary: "put a new disk in the place of one that failed, and show how it is filled",
  example: "chime-node disk replace /minio/disk2 --disk /dev/disk/by-id/ata-…",
  args: {
    place: {
      type: "positional",
      hint: "PLACE",
      summary: "where the failed disk is mounted, or should be: status and docs/disks.md",
      required: true,
    },
    disk: {
      type: "string",
      hint: "DEV",
      summary: "the new one, a whole free disk: chime-node disks; what is on it is refused",
      required: true,
    },
    dryRun: { type: "flag", summary: "make all checks, say what would be done, and do nothing" },
    wait: {
      type: "flag",
      summary: "return once the new disk is mounted and given to the service",
      default: true,
    },
  },
  async run(context) {
    const replaced = await replaceDisk(context.args, operationIo(context));
    context.out.result(replaced, replaced.summary);
  },
});

export const disk = defineGroup("disk", "disks that this node has given to its roles", [replace]);
