import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { makeKey } from "../install/release.ts";
import { ensureImage } from "./image.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { initCommand } from "./pair.ts";
import { system } from "./system.ts";

/** As in every lab, but with packages from bundles alone. */
export const bundleInit = initCommand.map((word) =>
  word === "cluster.packages=os" ? "cluster.packages=bundle" : word,
);

/** A bundle with the packages of the lab's mirror, for its nodes' image. */
export interface LabBundle {
  file: string;
  /** The public half of what signed it. */
  key: string;
}

const pair = ["--role", "mysql", "--set", `roles.mysql.engine=${system.engine}`];

/** @param role what the nodes will be */
export async function makeLabBundle(
  lab: Lab,
  binary: string,
  file: string,
  role: readonly string[] = pair,
): Promise<LabBundle> {
  const { roots, mirror } = await ensureImage(console.error);
  const key = await makeKey(join(lab.work, "key"));
  const what = ["--os", system.name.replace("-", ""), ...role];
  const from = ["--source", `deb [trusted=yes] file:${mirror} ./`];
  const image = ["--installed", `${roots[0]}/var/lib/dpkg/status`];
  const argv = [binary, "bundle", "create", ...what, ...from, ...image, "--key", key.key, "-o", file];
  await exec(argv, { timeoutMs: 300_000 });
  return { file, key: key.pub };
}

/** To where an operator would have copied it: /root/bundle.tar and /root/key.pub. */
export async function copyLabBundle({ file, key }: LabBundle, node: LabNode): Promise<void> {
  await copyFile(file, node.path("/root/bundle.tar"));
  await copyFile(key, node.path("/root/key.pub"));
}
