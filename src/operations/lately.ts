import * as v from "valibot";
import { readText, writeAtomically } from "../host/files.ts";
import { paths } from "../core/paths.ts";
import { fingerprint } from "../resources/fingerprint.ts";
import type { RoleContext } from "../roles/types.ts";

/**
 * What the network allowed this node a moment ago it is not asked again: `init` and the `join` right after it take that
 * second once. Gone with the next boot.
 */
const file = `${paths.run}/network-checked.json`;
const schema = v.object({ at: v.number(), what: v.string() });
const parse = v.safeParser(v.pipe(v.string(), v.parseJson(), schema));

/** Shorter than it takes to put another server into the network. */
const goodForMs = 60_000;

export async function passedLately(
  context: RoleContext,
  { path = file, now = Date.now() } = {},
): Promise<boolean> {
  const noted = parse(await readText(path));
  // Damaged is as good as not there: the network is asked again.
  if (!noted.success) return false;
  const { at, what } = noted.output;
  const age = now - at;
  return what === question(context) && age >= 0 && age < goodForMs;
}

export async function rememberPassed(
  context: RoleContext,
  { path = file, now = Date.now() } = {},
): Promise<void> {
  const content = JSON.stringify({ at: now, what: question(context) });
  await writeAtomically(path, content, { mode: 0o600, uid: 0, gid: 0 });
}

/** The same as long as the network would be asked the same. */
function question({ cluster, spec, facts }: RoleContext): string {
  return fingerprint({ cluster: cluster.id, spec, interfaces: facts.interfaces });
}
