import type { ReleaseFile } from "./manifest.ts";

/** What install.sh of a release knows by itself. */
export interface Baked {
  version: string;
  /** Where the release will be served; empty: the operator gives --base-url. */
  url: string;
  files: readonly ReleaseFile[];
  trustedKeys: readonly string[];
}

/** install.sh of the checkout with this release's values. @throws Error when it has no place for one of them */
export function bakeInstaller(script: string, { version, url, files, trustedKeys }: Baked): string {
  const values: Record<string, string> = {
    release_version: version,
    release_url: url.replace(/\/+$/, ""),
    release_files: files
      .flatMap(({ name, sha256, size, binary }) =>
        binary ? [[name, sha256, size, binary.sha256, binary.size].join(" ")] : [],
      )
      .join("\n"),
    release_keys: trustedKeys.join(" "),
  };
  let baked = script;
  for (const [name, value] of Object.entries(values)) {
    if (value.includes("'")) throw new Error(`${name} cannot hold a quote: ${value}`);
    const empty = `\n${name}=''\n`;
    if (!baked.includes(empty)) throw new Error(`install.sh has no line ${name}=''`);
    baked = baked.replace(empty, () => `\n${name}='${value}'\n`);
  }
  return baked;
}
