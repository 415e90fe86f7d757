import { ChimeError, failed } from "../../core/errors.ts";
import type { PackageManager } from "./types.ts";

/** Why an installation from a bundle ended that had not begun: it lacks something, or does not go with what is there. */
const unfit: readonly string[] = ["packages.unknown", "packages.unreachable", "packages.conflict"];

function isUnfit(error: unknown): error is ChimeError {
  return error instanceof ChimeError && unfit.includes(error.code);
}

const hasAll = async (bundled: PackageManager, names: readonly string[]) => {
  const offered = await bundled.candidates(names);
  return names.every((name) => offered.has(name));
};

/** From imported bundles alone: nothing else is asked, so a network that leads nowhere costs no time. */
export function onlyBundled(bundled: PackageManager): PackageManager {
  return {
    ...bundled,
    hasBundled: (names) => hasAll(bundled, names),
    // They are on this disk already.
    download: () => Promise.resolve(),
    install: (request, work) =>
      bundled.install(request, work).catch((error: unknown) => {
        if (!isUnfit(error)) throw error;
        throw failed(
          "packages.not_in_bundle",
          `no bundle that was imported here has all that ${request.names.join(", ")} needs: ${error.message}`,
          {
            remedy:
              "make a new one for this system and these roles (chime-node bundle create), then: chime-node bundle import FILE",
            cause: error,
          },
        );
      }),
  };
}

/** From imported bundles where they have it all, else as without them. */
export function preferBundled(bundled: PackageManager, other: PackageManager): PackageManager {
  const hasBundled = (names: readonly string[]) => hasAll(bundled, names);
  return {
    ...other,
    hasBundled,
    candidates: async (names) =>
      new Map([...(await other.candidates(names)), ...(await bundled.candidates(names))]),
    async download(names, log, work) {
      if (!(await hasBundled(names))) await other.download(names, log, work);
    },
    async install(request, work) {
      if (await hasBundled(request.names)) {
        try {
          await bundled.install(request, work);
          return;
        } catch (error) {
          if (!isUnfit(error)) throw error;
          work.progress("the imported bundle does not go with this node: asking its repositories");
        }
      }
      await other.install(request, work);
    },
  };
}
