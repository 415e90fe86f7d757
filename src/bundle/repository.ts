import { createHash } from "node:crypto";
import { cyclonedx } from "./cyclonedx.ts";
import type { ClosurePackage } from "./closure.ts";

/** Pure: a package's file in the repository; without the epoch, as in Debian's own. */
export function poolName({ name, version, arch }: Pick<ClosurePackage, "name" | "version" | "arch">): string {
  return `pool/${name}_${version.replace(/^\d+:/, "")}_${arch}.deb`;
}

/** Pure: the index (deb-control(5) paragraphs), with each file where it is here. */
export function renderPackages(packages: readonly ClosurePackage[]): string {
  return packages
    .map((one) => {
      const lines = one.record.trimEnd().split("\n");
      const rest = lines.filter((line) => !line.startsWith("Filename: "));
      return `${[...rest, `Filename: ./${poolName(one)}`].join("\n")}\n`;
    })
    .join("\n");
}

/** The index's sum of a package. */
export function sumOf({ record }: Pick<ClosurePackage, "record">): string | undefined {
  return /^SHA256: ([0-9a-f]{64})$/m.exec(record)?.[1];
}

/** Pure: the bill of materials of the packages. What the program is made of is in its own release's. */
export function renderSbom(
  packages: readonly ClosurePackage[],
  product: { version: string; commit: string | null; vendor: string },
): string {
  return cyclonedx(
    product,
    packages.map((one) => ({
      type: "library",
      name: one.name,
      version: one.version,
      purl: `pkg:deb/${product.vendor}/${encodeURIComponent(one.name)}@${encodeURIComponent(one.version)}?arch=${one.arch}`,
      hash: { alg: "SHA-256", content: sumOf(one) ?? "" },
    })),
  );
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
