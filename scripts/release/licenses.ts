import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { renderLicenses, type Licensed } from "../../src/bundle/licenses.ts";
import type { PinnedPart } from "./parts.ts";

/**
 * One text with our licence and that of everything in the binary. The runtime's names what it links in turn; its
 * package has none, but bun-types ships its documentation.
 * @throws Error for a package without a licence file
 */
export async function licenses(root: string, parts: readonly PinnedPart[]): Promise<string> {
  const all = await Promise.all(
    parts.map(async ({ name, version }): Promise<Licensed> => ({
      title: `${name} ${version}`,
      text: await Bun.file(await licenseFile(root, name)).text(),
    })),
  );
  const own = { title: "chime-node", text: await Bun.file(join(root, "LICENSE")).text() };
  return renderLicenses([own, ...all]);
}

async function licenseFile(root: string, name: string): Promise<string> {
  if (name === "bun") return join(root, "node_modules/bun-types/docs/project/license.mdx");
  const directory = join(root, "node_modules", name);
  const file = (await readdir(directory)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} brings no licence file`);
  return join(directory, file);
}
