import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs a script in a mount namespace of its own, so that nothing of its mounts is left or seen outside. */
function isolated(script: string, ...words: string[]) {
  const result = Bun.spawnSync(["unshare", "--mount", "sh", "-ec", script, "sh", ...words]);
  return { code: result.exitCode, lines: result.stdout.toString().trim().split("\n") };
}

const child = [process.execPath, join(import.meta.dir, "child.ts")];
/** $1 = directory, $2 = bun, $3 = child.ts */
const words = (directory: string) => [directory, ...child];

test("a full disk is told as such, leaves nothing half-written, and the next run goes on", () => {
  const directory = mkdtempSync(join(tmpdir(), "chime-full-"));
  // No single file fits.
  const { lines } = isolated(
    `mount -t tmpfs -o size=200k tmpfs "$1"
     mkdir -p "$1/tree/old"; echo theirs >"$1/tree/old/f2"; echo localhost >"$1/tree/hosts"
     "$2" "$3" "$1" apply 40000 || echo "exit $?"
     cat "$1/tree/old/f2"; find "$1/tree" -name '.*new'
     mount -o remount,size=16m "$1"
     "$2" "$3" "$1" apply 40000 && echo again`,
    ...words(directory),
  );
  rmSync(directory, { recursive: true });
  expect(new Set(lines)).toEqual(new Set(["host.no_space", "exit 1", "theirs", "again"]));
});

test("a full disk under the ledger leaves it readable, and nothing is done without it", () => {
  const directory = mkdtempSync(join(tmpdir(), "chime-ledger-full-"));
  const { lines } = isolated(
    `mkdir -p "$1/state" "$1/tree"; mount -t tmpfs -o size=4k tmpfs "$1/state"
     "$2" "$3" "$1" apply || echo "exit $?"
     mount -o remount,size=8m "$1/state"
     "$2" "$3" "$1" apply && "$2" "$3" "$1" undo && find "$1/tree" -type f && echo again`,
    // Lines so long that the ledger does not fit on one page.
    ...words(join(directory, "x".repeat(200))),
  );
  rmSync(directory, { recursive: true });
  const hosts = join(directory, "x".repeat(200), "tree/hosts");
  expect(new Set(lines)).toEqual(new Set(["host.no_space", "exit 1", hosts, "again"]));
});

test("a read-only file system is told as such", () => {
  const directory = mkdtempSync(join(tmpdir(), "chime-read-only-"));
  mkdirSync(join(directory, "tree"));
  const { lines } = isolated(
    `mount -t tmpfs -o ro tmpfs "$1/tree"
     "$2" "$3" "$1" apply || echo "exit $?"`,
    ...words(directory),
  );
  expect(new Set(lines)).toEqual(new Set(["host.read_only", "exit 1"]));
  expect(statSync(join(directory, "tree")).isDirectory()).toBe(true);
  rmSync(directory, { recursive: true });
});
