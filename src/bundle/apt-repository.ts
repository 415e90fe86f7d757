import { createHash } from "node:crypto";
import type { Planned } from "./apt-simulation.ts";
import { poolName } from "./closure.ts";

/** A package with its paragraph of the index that it came from. */
export interface AptPackage extends Planned {
  record: string;
}

/** Pure: the index (deb-control(5) paragraphs), with each file where it is here. */
export function renderPackages(packages: readonly AptPackage[]): string {
  return packages
    .map((one) => {
      const lines = one.record.trimEnd().split("\n");
      const rest = lines.filter((line) => !line.startsWith("Filename: "));
      return `${[...rest, `Filename: ./${poolName(one, "deb")}`].join("\n")}\n`;
    })
    .join("\n");
}

/** The field's first line in a package's paragraph. */
export function fieldOf({ record }: Pick<AptPackage, "record">, name: string): string | undefined {
  return new RegExp(`^${name}: (.+)$`, "m").exec(record)?.[1];
}

/** Pure. Always of the same date: the same packages give the same bytes. apt warns where there is none. */
export function renderRelease(packagesIndex: string, about: { codename: string; arch: string }): string {
  const sum = createHash("sha256").update(packagesIndex).digest("hex");
  return [
    "Origin: chime-node",
    "Label: chime-node",
    `Codename: ${about.codename}`,
    `Architectures: ${about.arch} all`,
    "Date: Tue, 01 Jan 1980 00:00:00 UTC",
    "Description: the packages of a bundle",
    "SHA256:",
    ` ${sum} ${Buffer.byteLength(packagesIndex)} Packages`,
    "",
  ].join("\n");
}
