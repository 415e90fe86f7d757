import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";

/** A package that stands in for a vendor's, whose repository is out of the lab's reach: called as the catalog calls it. */
export interface StandIn {
  name: string;
  /** Whose program is in it. */
  description: string;
  /** Texts by their path in the package; those of DEBIAN but for `control` are scripts. */
  files: Readonly<Record<string, string>>;
  /** Files of this machine by their path in the package. */
  programs: Readonly<Record<string, string>>;
}

const version = "0~stand-in";

const startedMark = "/root/started-by-its-package";
/** What a stand-in's own unit starts in place of a server, so that it is seen where that ever ran. */
export const ownStart = `/bin/sh -c 'touch ${startedMark}; exec sleep infinity'`;

/** Packs them, and gives each node a repository that has them. What it cannot show: the vendor's own repository, key and scripts. */
export async function offerStandIns(lab: Lab, packages: readonly StandIn[]): Promise<void> {
  const made = join(lab.work, "stand-in");
  await mkdir(made, { recursive: true });
  for (const one of packages) await pack(made, one);
  const { stdout } = await exec(["dpkg-scanpackages", "--multiversion", "."], { cwd: made });
  await writeFile(join(made, "Packages"), stdout);
  for (const node of lab.nodes) {
    await exec(["cp", "-r", made, node.path("/srv/stand-in")]);
    await node.put("/etc/apt/sources.list.d/stand-in.list", "deb [trusted=yes] file:/srv/stand-in ./\n");
    await node.run(["apt-get", "update", "-q"]);
  }
}

/** What a node runs under a unit's name, by which unit file, as whom; what the stand-in's own unit leaves comes first. */
export async function ranAs(node: LabNode, unit: string): Promise<string> {
  const main = `$(systemctl show -P MainPID ${unit})`;
  const script = `ls ${startedMark} 2>/dev/null || :
    systemctl show -P FragmentPath ${unit}
    readlink /proc/${main}/exe
    stat -c %U /proc/${main}`;
  return (await node.sh(script)).stdout;
}

async function pack(directory: string, { name, description, files, programs }: StandIn): Promise<void> {
  const tree = join(dirname(directory), `${name}-tree`);
  const at = async (path: string) => {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    return join(tree, path);
  };
  const control = [
    `Package: ${name}`,
    `Version: ${version}`,
    "Architecture: all",
    "Maintainer: stand-in <stand-in@localhost>",
    `Description: ${description}`,
  ];
  await writeFile(await at("DEBIAN/control"), `${control.join("\n")}\n`);
  for (const [path, text] of Object.entries(files)) {
    await writeFile(await at(path), text, { mode: path.startsWith("DEBIAN/") ? 0o755 : 0o644 });
  }
  for (const [path, from] of Object.entries(programs)) await copyFile(from, await at(path));
  const deb = join(directory, `${name}_${version}_all.deb`);
  await exec(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, deb]);
}
