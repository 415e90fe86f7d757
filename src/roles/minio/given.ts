import { readFileSync } from "node:fs";
import { paths } from "../../core/paths.ts";
import { parseGiven, type GivenDisk } from "../../host/disks/record.ts";
import { isMissing } from "../../host/files.ts";
import { roleName } from "./layout.ts";

const prefix = `${roleName}-`;

/** What such a label looks like. */
export const labelPattern = new RegExp(`^${prefix}disk[1-9]\\d?$`);

/** The label of the n-th disk of a node. */
export const labelOf = (disk: number): string => `${prefix}disk${disk}`;

/** This node's disks of the role, as they were recorded when they were given; none before that. */
export function givenDisks(path: string = paths.disks): GivenDisk[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  return parseGiven(text, path).filter(({ label }) => label.startsWith(prefix));
}
