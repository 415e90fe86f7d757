import { builtOnce } from "./built-once.ts";

/** $1: the directory, $2: the packages, comma-separated. */
const script = `
set -eu
final=$1 work=$1.new
[ -d "$final" ] && exit 0
rm -rf --one-file-system "$work"
mmdebstrap --mode=root --format=directory --variant=apt --include="$2" \\
  --aptopt='APT::Install-Recommends "false"' bookworm "$work"
ln -sf /proc/self/mounts "$work/etc/mtab"
mv "$work" "$final"
`;

/**
 * A directory with Debian packages whose tools a test runs, beside the node images in the cache: nothing is installed
 * here for it.
 * @param name begins the directory's name, and is said while it is built
 * @throws LabUnavailable
 */
export async function ensureToolRoot(
  name: string,
  packages: readonly string[],
  progress: (line: string) => void,
): Promise<string> {
  return builtOnce({ name, what: `the lab's ${name}`, script, words: [packages.join(",")] }, progress);
}
