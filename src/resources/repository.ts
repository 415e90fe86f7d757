import { packageManager } from "../host/packages/index.ts";
import type { PackageSource, Repository } from "../host/packages/types.ts";
import { file } from "./file.ts";
import { pkg } from "./package.ts";
import type { Resource } from "./types.ts";
import { vendorKey } from "./vendor-key.ts";

/** What is wanted from a repository. */
interface For {
  packages: readonly string[];
  /** `Facts.os.family`. */
  family: string;
  from: PackageSource;
}

/**
 * A vendor's own repository, with its key and what it takes to reach it: packages from there need all of these. None of
 * it is wanted where an imported bundle has the packages.
 */
export function repository(source: Repository, { packages, family, from }: For): Resource[] {
  const files = packageManager(family).repository(source);
  const requires = files.requires.map((name) => pkg({ name, family, from: "auto" }));
  const key = vendorKey({ ...source.key, path: files.key, family, needs: requires.map(({ id }) => id) });
  const list = file({
    path: files.path,
    content: files.content,
    check: { argv: files.check },
    needs: [key.id],
  });
  const hasBundled = () => packageManager(family, from).hasBundled(packages);
  return [...requires, key, list].map((resource) => ({
    ...resource,
    inspect: async (context) => ((await hasBundled()) ? undefined : resource.inspect(context)),
  }));
}
