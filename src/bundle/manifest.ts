import { createHash } from "node:crypto";
import * as v from "valibot";
import { refused } from "../core/errors.ts";
import { chunkCount } from "./chunks.ts";
import { isSafeName, tell, unsafeName } from "./tar.ts";

export const manifestName = "manifest.json";
export const signatureName = "manifest.json.sig";
/** Ed25519's, raw. */
export const signatureSize = 64;
/** One line a package: no bundle comes near it. */
export const largestManifest = 4 << 20;
const mostFiles = 10_000;
const formatNumber = 1;

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const word = v.pipe(v.string(), v.maxLength(200), v.regex(/^[ -~]*$/));
const words = v.pipe(v.array(word), v.maxLength(1000));

const fields = v.object({
  version: word,
  /** Where it came from. */
  origin: word,
  /**
   * Sums of its chunks, of `chunkBytes` each, where there are several and nodes take it from each other; bundles of the
   * first versions have none.
   */
  chunks: v.optional(v.pipe(v.array(sha256), v.minLength(1))),
  name: v.string(),
  sha256,
  size,
  /** What comes out of it, where it is the packed program. */
  binary: v.optional(v.object({ sha256, size })),
});
const fileSchema = v.pipe(
  fields,
  v.check(
    ({ size, chunks }) => chunks === undefined || chunks.length === chunkCount(size),
    "the sums of a file's chunks are not as many as its size wants",
  ),
);
export type BundleFile = v.InferOutput<typeof fileSchema>;

const manifestSchema = v.object({
  format: v.literal(formatNumber),
  product: v.literal("chime-node bundle"),
  /** Of the program inside. */
  version: v.pipe(word, v.regex(/^\d+\.\d+\.\d+/)),
  /** As `bundle create --os` and `--arch` name them: `debian12`, `x64`. */
  system: word,
  arch: v.picklist(["x64", "arm64"]),
  roles: words,
  /** Packages that it was made for, without what they need in turn. */
  packages: words,
  files: v.pipe(v.array(fileSchema), v.maxLength(mostFiles)),
});
/** What a bundle holds, for which system; the files in their order. Signed. */
export type Manifest = v.InferOutput<typeof manifestSchema>;

/** JSON with one file a line and its keys in this order: install.sh reads it with sed. */
export function renderManifest({ files, ...head }: Manifest): string {
  const lines = files.map((file) =>
    JSON.stringify({
      version: file.version,
      origin: file.origin,
      ...(file.chunks && { chunks: file.chunks }),
      name: file.name,
      sha256: file.sha256,
      size: file.size,
      ...(file.binary && { binary: { sha256: file.binary.sha256, size: file.binary.size } }),
    }),
  );
  const about = JSON.stringify(head, null, 2).replace(/\n}$/, "");
  return `${about},\n  "files": [\n    ${lines.join(",\n    ")}\n  ]\n}\n`;
}

/**
 * A manifest whose signature was checked.
 * @throws ChimeError `bundle.format`, `bundle.unsafe_name`, `bundle.duplicate`
 */
export function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refused("bundle.format", "the bundle's manifest is no JSON", { remedy: tell, cause });
  }
  const result = v.safeParse(manifestSchema, json);
  if (!result.success) {
    throw refused(
      "bundle.format",
      `this chime-node cannot read the bundle's manifest (${v.getDotPath(result.issues[0]) ?? "all of it"}: ${result.issues[0].message})`,
      "use the chime-node that is in the bundle: sh install.sh --bundle FILE",
    );
  }
  const taken = new Set<string>([manifestName, signatureName]);
  for (const { name } of result.output.files) {
    if (!isSafeName(name)) throw unsafeName(name);
    if (taken.has(name)) throw duplicate(name);
    taken.add(name);
  }
  return result.output;
}

export function duplicate(name: string) {
  return refused("bundle.duplicate", `the bundle is not safe: it holds ${name} twice`, tell);
}

/** What tells one bundle from all others. */
export function bundleId(manifestText: string): string {
  return createHash("sha256").update(manifestText).digest("hex").slice(0, 12);
}

/** Bytes of all files. */
export function contentSize(manifest: Pick<Manifest, "files">): number {
  return manifest.files.reduce((sum, file) => sum + file.size, 0);
}

/** The packed program for a CPU. */
export function programName(arch: Manifest["arch"]): string {
  return `chime-node-linux-${arch}.gz`;
}
