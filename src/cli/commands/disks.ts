import { listDisks } from "../../operations/disks.ts";
import { defineVerb } from "../command.ts";
import { renderDisks } from "../render-disks.ts";

export const disks = defineVerb({
  name: "disks",
  summary: "show every block device of this machine: what it carries, and whether it is free or why not",
  example: "chime-node disks",
  args: {},
  async run({ out }) {
    out.progress("looking at the disks, writing nothing");
    const found = await listDisks();
    out.result({ disks: found }, renderDisks(found, out.style));
  },
});
