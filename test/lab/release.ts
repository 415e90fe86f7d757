import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { buildInfo } from "../../scripts/build-info.ts";
import { compile } from "../../scripts/compile.ts";
import { nativeTarget } from "../../scripts/targets.ts";
import { makeTinyRelease } from "../install/release.ts";
import type { Lab } from "./lab.ts";
import type { Running } from "./process.ts";
import { waitUntil } from "./wait.ts";

const root = resolve(import.meta.dir, "../..");

/** Where the lab's release server is, for its nodes. */
export function releaseUrl(lab: Lab): string {
  return `http://${lab.client.address}`;
}

/** The real program under another version, for upgrades; `state`: the form of the state that it says it writes. */
export async function buildVersion(lab: Lab, version: string, state = 1): Promise<Uint8Array> {
  const work = await mkdtemp(join(lab.work, "version-"));
  for (const name of ["src", "assets", "install.sh", "LICENSE"])
    await cp(join(root, name), join(work, name), { recursive: true });
  await symlink(join(root, "node_modules"), join(work, "node_modules"));
  const manifest = (await Bun.file(join(root, "package.json")).json()) as object;
  await writeFile(join(work, "package.json"), JSON.stringify({ ...manifest, version }));
  const build = join(work, "src/core/build.ts");
  const source = await readFile(build, "utf8");
  await writeFile(build, source.replace(/stateForm = \d+/, `stateForm = ${state}`));
  await mkdir(join(work, "out"));
  const binary = join(work, "out/chime-node");
  await compile(join(work, "src/main.ts"), binary, { info: await buildInfo(root) });
  return Bun.file(binary).bytes();
}

/** Puts a version's release below the directory that is served; "" is the newest. */
export async function publishVersion(
  lab: Lab,
  at: string,
  release: { version: string; program: Uint8Array | string; key: string },
): Promise<void> {
  await makeTinyRelease(join(lab.work, "served", at), {
    ...release,
    baseUrl: releaseUrl(lab),
    targets: [nativeTarget],
  });
}

/** Serves what was published on port 80 of the lab's client, until the lab closes. */
export async function serveReleases(lab: Lab): Promise<Running> {
  const program = [process.execPath, join(import.meta.dir, "release-program.ts"), join(lab.work, "served")];
  const server = lab.client.start(program);
  await waitUntil("the release server", 20_000, () => server.lines.includes("serving"));
  return server;
}
