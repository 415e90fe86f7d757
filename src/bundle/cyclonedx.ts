/** A part of what is described. */
export interface Component {
  type: "library" | "platform" | "application";
  name: string;
  version: string;
  /** Package URL. */
  purl: string;
  /** SPDX expression. */
  license?: string;
  hash: { alg: "SHA-512" | "SHA-256"; content: string };
}

/**
 * A bill of materials in CycloneDX 1.6. Without a time and with a serial number that follows from the contents, so that
 * the same parts have the same bytes.
 */
export function cyclonedx(
  product: { version: string; commit: string | null },
  components: readonly Component[],
): string {
  const main = `pkg:generic/chime-node@${product.version}`;
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": main,
        name: "chime-node",
        version: product.version,
        purl: main,
        licenses: [{ license: { id: "MIT" } }],
        ...(product.commit && { properties: [{ name: "chime-node:commit", value: product.commit }] }),
      },
    },
    components: components.map(({ type, name, version, purl, license, hash }) => ({
      type,
      "bom-ref": purl,
      name,
      version,
      purl,
      ...(license !== undefined && {
        licenses: [/[ (]/.test(license) ? { expression: license } : { license: { id: license } }],
      }),
      hashes: [hash],
    })),
    dependencies: [{ ref: main, dependsOn: components.map(({ purl }) => purl) }],
  };
  const { $schema, bomFormat, ...rest } = document;
  const hash = new Bun.CryptoHasher("sha256").update(JSON.stringify(document)).digest("hex");
  const serialNumber = `urn:uuid:${uuid(hash)}`;
  return `${JSON.stringify({ $schema, bomFormat, serialNumber, ...rest }, null, 2)}\n`;
}

/** Version 8 of RFC 9562: bits of our own choice, here of a hash. */
function uuid(hex: string): string {
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(18, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
