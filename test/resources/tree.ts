import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Everything below a directory, as one line an entry: type, mode, owner, and the content or target. */
export function snapshot(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const path = join(directory, name);
      const info = lstatSync(path);
      const head = `${name} ${info.mode.toString(8)} ${info.uid}:${info.gid}`;
      if (info.isSymbolicLink()) return `${head} → ${readlinkSync(path)}`;
      return info.isFile() ? `${head} ${readFileSync(path, "utf8")}` : head;
    });
}

/** What child.ts finds: files and a link in the place of its own, and strangers beside them. */
export function makeTree(root: string): void {
  const tree = join(root, "tree");
  mkdirSync(join(tree, "old"), { recursive: true });
  for (const name of ["f2", "f5", "stranger"]) {
    writeFileSync(join(tree, "old", name), `theirs ${name}\n`, { mode: 0o604 });
  }
  symlinkSync("stranger", join(tree, "old", "f8"));
  writeFileSync(join(tree, "hosts"), "127.0.0.1\tlocalhost\n");
}
