import { join } from "node:path";
import type { Build } from "../src/core/build.ts";
import { embeddedParts } from "./release/parts.ts";

/** Files and directories whose change can change the binary, from the root of the checkout. */
export const inputs = [
  "src",
  "assets",
  "install.sh",
  "LICENSE",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "scripts/build.ts",
  "scripts/build-info.ts",
  "scripts/compile.ts",
  "scripts/release/licenses.ts",
];

/** What the binary will say of itself. Without git, or outside of a clone, it says that it does not know its commit. */
export async function buildInfo(root: string, trustedKeys: readonly string[] = []): Promise<Build> {
  const parts = await embeddedParts(root);
  const commit = await git(root, ["rev-parse", "HEAD"]);
  const changes = await git(root, ["status", "--porcelain", "--untracked-files=all", "--", ...inputs]);
  return {
    commit: commit?.trim() ?? null,
    modified: (changes ?? "") !== "",
    parts: parts.map(({ name, version, license }) => ({ name, version, license })),
    trustedKeys,
  };
}

async function git(root: string, args: readonly string[]): Promise<string | undefined> {
  // A checkout inside of another repository is none of that one's commits.
  if (!Bun.which("git") || !(await hasGit(root))) return undefined;
  const child = Bun.spawn(["git", "-C", root, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const [stdout, code] = await Promise.all([child.stdout.text(), child.exited]);
  return code === 0 ? stdout : undefined;
}

/** A directory in a clone, a file in a worktree. */
async function hasGit(root: string): Promise<boolean> {
  return Bun.file(join(root, ".git"))
    .stat()
    .then(
      () => true,
      () => false,
    );
}
