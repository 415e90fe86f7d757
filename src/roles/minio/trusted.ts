import { createHash } from "node:crypto";
import * as v from "valibot";
import type { Member, MemberView } from "../../cluster/types.ts";
import { paths } from "../../core/paths.ts";
import { makeParents, readText, writeAtomically } from "../../host/files.ts";
import { isStopped, showUnit, type UnitState } from "../../host/systemd.ts";
import { changedAt } from "../../resources/stamp.ts";
import { shownAt, unshown } from "../shown-certificate.ts";
import type { RoleContext } from "../types.ts";
import { layout, minioSpec, nodes, s3Port } from "./layout.ts";
import { publishedBy } from "./published.ts";
import { serverFiles } from "./tls.ts";

/** Since these CAs were seen on the disk, every run of the server but the one before goes by them; null: that one, too. */
const noteSchema = v.object({ ca: v.string(), before: v.nullable(v.string()) });
export type TrustNote = v.InferOutput<typeof noteSchema>;

/** This node's server and its files. */
export interface Trusting {
  run(): Promise<Pick<UnitState, "active" | "invocation" | "startedAt">>;
  /** The CA file. */
  ca: string;
  note: string;
}

const trusting = (unit: string): Trusting => ({
  run: () => showUnit(unit),
  ca: serverFiles.ca,
  note: paths.minioTrust,
});

/** Of the CA file that is there; undefined: there is none. */
export async function trustThere(file: string = serverFiles.ca): Promise<string | undefined> {
  const text = await readText(file);
  return text === undefined ? undefined : createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Whether this node's server runs, and was started with other CAs than those that are there: it reads them then alone [tried]. */
export async function trustsOthers(where: Trusting): Promise<boolean> {
  return (await judge(where)).isOld;
}

/**
 * The same, and remembers which run of the server that was: for its guard alone. Neither a clock that is set nor whatever
 * touches the file without changing it then says anything.
 */
export async function noteTrust(unit: string, where: Trusting = trusting(unit)): Promise<boolean> {
  const { ca, invocation, isOld, note } = await judge(where);
  if (ca === undefined || note?.ca === ca) return isOld;
  await makeParents(where.note);
  const seen: TrustNote = { ca, before: isOld ? invocation : null };
  await writeAtomically(where.note, JSON.stringify(seen), { mode: 0o600, uid: 0, gid: 0 });
  return isOld;
}

async function judge(where: Trusting) {
  // The file first: a run that is seen after it, and none before, may be taken for the last one without it.
  const ca = await trustThere(where.ca);
  const [run, changed, note] = await Promise.all([where.run(), changedAt([where.ca]), readNote(where.note)]);
  return { ca, invocation: run.invocation, note, isOld: wasStartedBefore(run, { ca, changed }, note) };
}

/**
 * Pure. By the file's age only where nothing is noted. Other CAs than those that are noted have come since the last look, and the
 * server most likely before them.
 * @param there the CA file, and when it came to be as it is, ms since the epoch
 */
export function wasStartedBefore(
  { active, invocation, startedAt }: Pick<UnitState, "active" | "invocation" | "startedAt">,
  there: { ca: string | undefined; changed: number },
  note: TrustNote | undefined,
): boolean {
  if (there.ca === undefined || (active !== "active" && active !== "activating")) return false;
  if (!note) return there.changed > startedAt;
  return note.ca !== there.ca || invocation === note.before;
}

/** What this node's server waits for until it goes by the certificates that are there; undefined: it does. */
export async function unrenewed(context: RoleContext): Promise<string | undefined> {
  if (!minioSpec(context).tls) return undefined;
  const { unit } = layout(context).product;
  if (await trustsOthers(trusting(unit))) {
    return restartAwaits(context.self);
  }
  const shown = await shownAt(context.self.address, s3Port, serverFiles);
  return unshown(shown, () => isStopped(unit), "its server has yet to read its new certificate");
}

/** Pure: why this node's server is not restarted yet. */
export function restartAwaits(self: Pick<Member, "roleState">): string {
  const { awaits = [], awaiting } = publishedBy(self)?.trust ?? {};
  const why = awaits.length > 0 ? `waiting for ${awaits.join(" and ")}` : awaiting;
  const because = why === undefined ? "" : `: ${why}`;
  return `its server is started anew for the CAs that it trusts, with the others or in its turn${because}`;
}

/** Pure: the other nodes that are there and tell of a server, but not with which CAs that was started. */
export function cannotFollow(context: RoleContext, members: readonly MemberView[]): string[] {
  if (!context.spec.roles.minio?.tls) return [];
  const others = nodes(members).filter(
    ({ name, state }) => name !== context.self.name && (state === "alive" || state === "suspect"),
  );
  return others.filter(isSilent).map(({ name }) => name);
}

function isSilent(member: MemberView): boolean {
  const said = publishedBy(member);
  return said !== null && said.trust === undefined;
}

/** One that is not understood is none. */
async function readNote(path: string): Promise<TrustNote | undefined> {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), noteSchema), await readText(path));
  return parsed.success ? parsed.output : undefined;
}
