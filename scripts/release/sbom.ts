import { cyclonedx } from "../../src/bundle/cyclonedx.ts";
import type { PinnedPart } from "./parts.ts";

/** What is in the binary. */
export function sbom(
  product: { version: string; commit: string | null },
  parts: readonly PinnedPart[],
): string {
  return cyclonedx(
    product,
    parts.map(({ name, version, license, sha512 }) => ({
      type: name === "bun" ? "platform" : "library",
      name,
      version,
      purl: reference(name, version),
      license,
      hash: { alg: "SHA-512", content: sha512 },
    })),
  );
}

/** A package URL (purl): the scope's @ is encoded. */
function reference(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}
