import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { manifestName, signatureName } from "../bundle/manifest.ts";
import { comingBundles, pullPlaces, storedBundles, type StoredBundle } from "../bundle/store.ts";
import { isSafeName } from "../bundle/tar.ts";
import type { ClusterMembership } from "../cluster/membership.ts";
import type { MemberView } from "../cluster/types.ts";
import { failed } from "../core/errors.ts";
import { paths } from "../core/paths.ts";
import { fileError, isMissing } from "../host/files.ts";

/** Bytes in one answer: as with a copy of data, small enough that heartbeats behind it come in time on a slow network. */
const pieceBytes = 256 << 10;
/** With its signature it must fit into one answer (`peerFrameBytes`). */
const largestManifest = 700 << 10;

const answerMs = 5_000;
/** Whoever takes a bundle loses its patience before. */
const pieceMs = 30_000;

const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{12}$/));
const wordSchema = v.pipe(v.string(), v.maxLength(200));
const idSchema = v.object({ id });
const bundleSchema = v.object({
  id,
  system: wordSchema,
  arch: wordSchema,
  roles: v.array(wordSchema),
  version: wordSchema,
  /** False: that member is taking it from others itself. */
  whole: v.optional(v.boolean(), true),
});
const offersSchema = v.pipe(v.array(bundleSchema), v.maxLength(100));
const manifestSchema = v.object({ manifest: v.string(), signature: v.pipe(v.string(), v.maxLength(200)) });
/** Places in the manifest's list of files. */
const filesSchema = v.pipe(v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0))), v.maxLength(10_000));
const pieceSchema = v.union([
  v.instance(Uint8Array),
  // Of an agent from before bytes went as they are.
  v.pipe(
    v.object({ data: v.string() }),
    v.transform(({ data }) => Buffer.from(data, "base64")),
  ),
]);

/** A bundle that a member has. */
export interface Offer extends v.InferOutput<typeof bundleSchema> {
  node: string;
}

const readSchema = v.object({
  id,
  name: v.pipe(v.string(), v.check(isSafeName)),
  offset: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
/** An agent from before bytes went as they are asks for none. */
const askedSchema = v.object({ ...readSchema.entries, bytes: v.optional(v.boolean(), false) });

/** What other members may ask: their packages are no secret among them, and each file is checked by who takes it. */
export function serveBundles(
  membership: Pick<ClusterMembership, "handle">,
  store: string = paths.bundles,
): void {
  membership.handle("bundle.list", async () => [
    ...(await storedBundles(store)).map((one) => about(one, true)),
    ...(await comingBundles(store)).map((one) => about(one, false)),
  ]);
  membership.handle("bundle.manifest", async (params) => {
    const { id } = v.parse(idSchema, params);
    const [manifest, signature] = await Promise.all([
      readPart(store, id, manifestName, largestManifest),
      readPart(store, id, signatureName, 64),
    ]);
    return { manifest: manifest.toString("utf8"), signature: signature.toString("base64") };
  });
  membership.handle("bundle.files", async (params) => {
    const { id } = v.parse(idSchema, params);
    const found = (await comingBundles(store)).find((one) => one.id === id);
    return found ? await wholeFiles(found) : [];
  });
  membership.handle("bundle.read", async (params) => {
    const { id, name, offset, bytes } = v.parse(askedSchema, params);
    const piece = await readPart(store, id, name, pieceBytes, offset);
    return bytes ? piece : { data: piece.toString("base64") };
  });
}

function about({ id, manifest: { system, arch, roles, version } }: StoredBundle, whole: boolean) {
  return { id, system, arch, roles, version, whole };
}

/** Those of a bundle that is coming that were checked. */
async function wholeFiles({ directory, manifest }: StoredBundle): Promise<number[]> {
  const names = new Set(await readdir(directory, { recursive: true }));
  return manifest.files.flatMap(({ name }, at) => (names.has(name) ? [at] : []));
}

/** The other members, as far as they are asked for bundles. */
interface Others extends Pick<ClusterMembership, "call" | "isWitness"> {
  readonly self: Pick<ClusterMembership["self"], "name">;
  members(): Pick<MemberView, "name" | "state">[];
}

/** How bundles are asked for of other members. */
export interface Givers {
  "bundle.offers"(): Promise<Offer[]>;
  "bundle.manifest"(params: unknown): Promise<{ manifest: string; signature: string }>;
  "bundle.files"(params: unknown): Promise<number[]>;
  "bundle.read"(params: unknown): Promise<Uint8Array>;
}

/** What the command line on this node asks its agent of the others. @param listMs for who has what */
export function bundleHandlers(membership: Others, listMs: number = answerMs): Givers {
  return {
    /**
     * Who of the living members has which; one that does not answer, or is of an older version, has none. A witness is not
     * asked: what it gives would be installed by root, and it may publish whom to trust.
     */
    async "bundle.offers"(): Promise<Offer[]> {
      const others = membership
        .members()
        .filter(({ name, state }) => state === "alive" && name !== membership.self.name)
        .filter(({ name }) => !membership.isWitness(name));
      const answers = await Promise.allSettled(
        others.map(async ({ name: node }) =>
          v
            .parse(offersSchema, await membership.call(node, "bundle.list", {}, listMs))
            .map((offer) => ({ ...offer, node })),
        ),
      );
      return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    },
    async "bundle.manifest"(params: unknown) {
      const { node, id: of } = v.parse(v.object({ node: v.string(), id }), params);
      return v.parse(manifestSchema, await membership.call(node, "bundle.manifest", { id: of }, answerMs));
    },
    async "bundle.files"(params: unknown): Promise<number[]> {
      const { node, id: of } = v.parse(v.object({ node: v.string(), id }), params);
      return v.parse(filesSchema, await membership.call(node, "bundle.files", { id: of }, answerMs));
    },
    async "bundle.read"(params: unknown): Promise<Uint8Array> {
      const { node, ...what } = v.parse(v.object({ node: v.string(), ...readSchema.entries }), params);
      const answer = await membership.call(node, "bundle.read", { ...what, bytes: true }, pieceMs);
      return v.parse(pieceSchema, answer);
    },
  };
}

/** From a bundle that is here, or is coming; what is there of that one was checked. */
async function readPart(store: string, id: string, name: string, most: number, offset = 0): Promise<Buffer> {
  for (const directory of [join(store, id), pullPlaces(store, id).whole]) {
    const path = join(directory, name);
    try {
      const handle = await open(path, "r");
      try {
        const buffer = Buffer.allocUnsafe(most);
        const { bytesRead } = await handle.read(buffer, 0, most, offset);
        return buffer.subarray(0, bytesRead);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (!isMissing(error)) throw fileError(path, error);
    }
  }
  throw failed("bundle.gone", `this node has no ${name} of that bundle any more`);
}
