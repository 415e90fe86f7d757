import { packageManager } from "../host/packages/index.ts";
import type { Repository } from "../host/packages/types.ts";
import { file } from "./file.ts";
import { pkg } from "./package.ts";
import type { Resource } from "./types.ts";
import { vendorKey } from "./vendor-key.ts";

/** A vendor's own repository, with its key and what it takes to reach it: packages from there need all of these. */
export function repository(source: Repository, family: string): Resource[] {
  const files = packageManager(family).repository(source);
  const requires = files.requires.map((name) => pkg({ name, family, from: "auto" }));
  const key = vendorKey({ ...source.key, path: files.key, family, needs: requires.map(({ id }) => id) });
  const list = file({
    path: files.path,
    content: files.content,
    check: { argv: files.check },
    needs: [key.id],
  });
  return [...requires, key, list];
}
