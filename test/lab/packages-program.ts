/**
 * Runs in a node, as root: adds a repository and installs packages from it as a role's resources would, or takes both
 * back; or makes a bundle of them and imports it. argv[2]: apply, undo, bundle; argv[3]: what is wanted, as JSON. Prints
 * what was changed, or the error.
 */
import { generateKeyPairSync } from "node:crypto";
import { oneLine } from "../../src/bundle/keys.ts";
import { importBundle } from "../../src/bundle/store.ts";
import { targetSystem } from "../../src/bundle/systems.ts";
import { paths } from "../../src/core/paths.ts";
import { packageManager } from "../../src/host/packages/index.ts";
import { assembleBundle } from "../../src/operations/bundle/assemble.ts";
import { toChimeError } from "../../src/core/errors.ts";
import type { Repository } from "../../src/host/packages/types.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { undoAll } from "../../src/plan/reset.ts";
import { apply } from "../../src/plan/run.ts";
import { kinds } from "../../src/resources/index.ts";
import { pkg } from "../../src/resources/package.ts";
import { repository } from "../../src/resources/repository.ts";

/** What a test asks for. */
export interface Wanted {
  family: string;
  source: Repository;
  packages: string[];
  answers: string[];
  /** Of the bundle: for which system, from which sources beside the vendor's, for an image that has what. */
  bundle?: { system: string; sources: string[]; installed?: string };
}

const [, , verb = "apply", json = "{}"] = process.argv;
const { family, source, packages, answers, bundle } = JSON.parse(json) as Wanted;
const files = repository(source, { packages, family, from: "auto" });
const needs = files.map(({ id }) => id);
const resources = [
  ...files,
  ...packages.map((name) => pkg({ name, family, from: "auto", repository: source, answers, needs })),
];
const ledger = await openLedger("/var/lib/stand-in/ledger.jsonl");
const progress = (line: string) => console.error(line);
const { signal } = new AbortController();

/** The bundle is at /root/bundle.tar, and its packages are this node's to install. */
async function makeBundle({ system, sources, installed }: NonNullable<Wanted["bundle"]>): Promise<{
  id: string;
  files: string[];
}> {
  const pair = generateKeyPairSync("ed25519");
  const file = "/root/bundle.tar";
  const { id, manifest } = await assembleBundle(
    file,
    {
      system: targetSystem(system),
      arch: process.arch === "arm64" ? "arm64" : "x64",
      roles: ["mysql"],
      wanted: { names: packages, repositories: [source] },
      sources,
      installed,
      // Any will do, and this one is packed at once.
      program: { path: "/usr/bin/true", version: "0.1.0" },
      added: [],
      key: pair.privateKey,
    },
    (url) => packageManager(family).fetch(url, { signal }),
    { progress, signal },
  );
  const trust = { keys: [oneLine(pair.publicKey)], revoked: [] };
  await importBundle(file, paths.bundles, trust, () => Promise.resolve());
  return { id, files: manifest.files.map(({ name }) => name) };
}

try {
  if (verb === "undo") await undoAll(ledger, kinds, { progress });
  else if (verb === "bundle" && bundle) console.log(JSON.stringify(await makeBundle(bundle)));
  else {
    const { applied, failed } = await apply(resources, ledger, {
      signal,
      progress,
    });
    if (failed[0]) throw failed[0].error;
    console.log(JSON.stringify({ applied }));
  }
} catch (error) {
  const { code, message } = toChimeError(error);
  console.log(JSON.stringify({ code, message }));
}
