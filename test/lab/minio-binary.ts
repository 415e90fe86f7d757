import { join } from "node:path";
import { builtIfPossible } from "./built-once.ts";
import { goDirectory, goEnvironment } from "./go.ts";

/** The last source that MinIO published for the community, console included: it comes as a Go module only. */
const minio = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";

/** $1: the directory, $2: the module. All that Go writes stays below the directory's place, and goes with the build. */
const script = `
set -eu
final=$1 work=$1.new
[ -d "$final" ] && exit 0
clean() { [ ! -d "$work" ] || { chmod -R u+w "$work"; rm -rf --one-file-system "$work"; }; }
clean
mkdir -p "$work/bin"
export HOME="$work" GOPATH="$work/go" GOCACHE="$work/cache" GOTMPDIR="$work" GOBIN="$work/bin"
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-modcacherw GOWORK=off
nice -n 10 go install -trimpath -ldflags "-s -w" "$2"
mkdir "$final.done"
mv "$work/bin/minio" "$final.done/minio"
clean
mv "$final.done" "$final"
`;

/**
 * The real server, for tests alone: built once (five minutes on two cores, 112 MB) and kept in the cache.
 * @returns its path, or undefined where there is no Go that can build it, or no way to its source: say
 * `describe.skipIf(!minio)` with the reason in the name
 */
export async function minioBinary(
  progress: (line: string) => void = console.error,
): Promise<string | undefined> {
  const go = await goDirectory();
  if (go === undefined) return undefined;
  const env = goEnvironment(go);
  const wanted = { name: "minio", what: "MinIO", script, words: [minio], env, source: "Go's modules" };
  const directory = await builtIfPossible(wanted, progress);
  return directory && join(directory, "minio");
}
