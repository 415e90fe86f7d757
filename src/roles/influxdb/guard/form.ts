import type { Clock } from "../../../core/clock.ts";
import { log } from "../../../core/log.ts";
import { refused, ChimeError } from "../../../core/errors.ts";
import type { InfluxdbBucket } from "../../../spec/types.ts";
import type { RoleContext } from "../../types.ts";
import { ensureBuckets } from "../bucket-resource.ts";
import type { Limits } from "../../http.ts";
import type { Server } from "../client.ts";
import { holdsNothing } from "../empty.ts";
import { formation, type Formation } from "../formation.ts";
import { influxdbSpec, layout, probeBucket, userName } from "../layout.ts";
import type { Twin } from "../mate.ts";
import { readMetadata, restoreMetadata } from "../metadata.ts";
import { hasNoOther, organisationId } from "../organisation.ts";
import type { Record } from "../record.ts";
import { serverOf } from "../servers.ts";
import { isNew, setUp } from "../setup.ts";
import { findTokens, keepTokens, keptTokens, makeTokens, type Tokens } from "../tokens.ts";

/** What this node's server is to become one of the twins by. */
interface Forming {
  context: RoleContext;
  twin: Twin | undefined;
  record: Record;
  clock: Clock;
  /** The other one's limited tokens, by its agent: a server may tell them only once. */
  askTokens: (node: string) => Promise<Tokens | undefined>;
}

type Formed = Exclude<Formation["do"], "wait">;

/**
 * Makes this node's server one of the twins, or finds that it is, and notes what it may lack.
 * @returns what had to be done for it
 * @throws ChimeError `influxdb.waits`, `influxdb.other_setup`, `influxdb.token_gone`, `influxdb.org_gone` (exit 3), `influxdb.*`, `host.*`
 */
export async function form(forming: Forming, limits: Limits): Promise<Formed> {
  const step = await look(forming, limits);
  if (step.do === "wait") throw refused("influxdb.waits", step.line, "chime-node status");
  const { context, twin, record } = forming;
  const spec = influxdbSpec(context);
  const server = serverOf(context.self, context);
  if (step.do === "found") {
    const retentionSeconds = spec.buckets[0]?.retentionSeconds ?? 0;
    await setUpOnce(context, { name: spec.bucket, retentionSeconds }, limits);
    await ensureBuckets(server, spec.buckets, limits);
    await keepTokens((await findTokens(server, limits)) ?? (await makeTokens(server, spec.bucket, limits)));
    log.info("influxdb: this server is set up");
  } else if (step.do === "copy" && twin) {
    const metadata = await readMetadata(serverOf(twin.member, context), limits);
    // Cut off in this, one that had data would be taken for one that has them.
    if (record.wasJoined) await record.copy();
    // Until the other one's are there it has no bucket for clients: what it took would be gone with its own.
    await setUpOnce(context, probeBucket, limits);
    await restoreMetadata(server, metadata, limits);
    log.info(`influxdb: this server knows what that of ${twin.member.name} knows`);
  }
  if (step.do !== "found") await takeTokens(forming, limits);
  await ensureBuckets(server, [], limits);
  await note(forming, step.do, limits);
  return step.do;
}

/** What it may lack that is one of the twins from now on. */
async function note(
  { context, twin, record, clock }: Forming,
  formed: Formed,
  limits: Limits,
): Promise<void> {
  // Of data that were kept nobody knows how old they are.
  if (record.wasJoined && !record.isCopying) return;
  const now = clock.wall();
  // Two that were just made need not wait for each other: what comes from now on both are given.
  const isNew = formed === "copy" && twin && (await holdsNothing(serverOf(twin.member, context), limits));
  await record.join(now, formed === "found" ? [] : [{ from: 0, to: now, sure: !isNew }]);
}

async function look(forming: Forming, limits: Limits): Promise<Formation> {
  const { context, twin, record } = forming;
  const server = serverOf(context.self, context);
  const fresh = await isNew(server, limits);
  const remembersData = record.wasJoined && !record.isCopying && !fresh;
  // One whose server is away cannot be asked: this node goes by what it remembers.
  const isThere = twin?.alive === true && twin.said?.serving === true;
  const own = fresh ? null : await idOf(forming, limits);
  const theirs =
    isThere && !fresh ? await theirId(serverOf(twin.member, context), remembersData, limits) : null;
  const isTwin = theirs === null ? null : own === theirs;
  const holdsData = remembersData && !(isTwin === false && (await isEmpty(server, limits)));
  return formation({
    isNew: fresh,
    wasJoined: record.wasJoined,
    holdsData,
    isTwin,
    mate: twin && {
      name: twin.member.name,
      isFirst: twin.isFirst,
      isThere,
      wasJoined: twin.wasJoined,
    },
  });
}

/** The organisation's on the other one; null where that ends at this moment, and this node need not know. @throws ChimeError `influxdb.*` */
async function theirId(server: Server, remembersData: boolean, limits: Limits): Promise<string | null> {
  try {
    return await organisationId(server, limits);
  } catch (error) {
    if (remembersData && error instanceof ChimeError && away.has(error.code)) return null;
    throw error;
  }
}

const away = new Set(["influxdb.unreachable", "influxdb.timeout"]);

/** Nothing is lost with what it knows. @throws ChimeError `influxdb.*`: then nobody knows */
async function isEmpty(server: Server, limits: Limits): Promise<boolean> {
  return (await hasNoOther(server, limits)) && holdsNothing(server, limits);
}

/**
 * The organisation's; null where it is not there.
 * @throws ChimeError `influxdb.other_setup`, and of a server that was one of the twins `influxdb.token_gone`, `influxdb.org_gone`
 */
async function idOf({ context, twin, record }: Forming, limits: Limits): Promise<string | null> {
  const { wasJoined } = record;
  const { org } = influxdbSpec(context);
  const { name } = context.self;
  const server = serverOf(context.self, context);
  try {
    return await organisationId(server, limits);
  } catch (error) {
    const code = error instanceof ChimeError ? error.code : undefined;
    if (code === "influxdb.missing") {
      if (!wasJoined) return null;
      throw refused(
        "influxdb.org_gone",
        `the server of ${name} has no organisation ${org} any more: it was renamed or deleted there`,
        `if it was renamed: influx org update --id ID --name ${org}, on ${name}; else ${anew(context, twin)}`,
      );
    }
    if (code !== "influxdb.denied") throw error;
    if (wasJoined) {
      throw refused(
        "influxdb.token_gone",
        `the server of ${name} refuses the administrator's token, which it took before: it was deleted or deactivated there`,
        `if it was deactivated: influx auth active; else ${anew(context, twin)}`,
      );
    }
    throw refused(
      "influxdb.other_setup",
      `the server of ${name} was set up by somebody else: it refuses the token of the organisation ${org}`,
      "take a backup of what it holds, move its data away, and run chime-node join again",
    );
  }
}

/** No server can be given a token that another one has made: it gets it with all else that the other one knows. */
function anew(context: RoleContext, twin: Twin | undefined): string {
  const { unit } = layout(context).product;
  const back = twin
    ? `build it anew from ${twin.member.name}: chime-node maintenance on; systemctl stop ${unit}; move engine and influxd.* out of ${layout(context).data}; chime-node maintenance off`
    : `put a backup of ${layout(context).data} back: no other server has it`;
  return `${back} (docs/influxdb.md)`;
}

/** With this bucket alone, and the organisation. Nothing where that is done. */
async function setUpOnce(
  context: RoleContext,
  { name: bucket, retentionSeconds }: InfluxdbBucket,
  limits: Limits,
): Promise<void> {
  const server = serverOf(context.self, context);
  if (!(await isNew(server, limits))) return;
  const wanted = {
    username: userName,
    password: context.secrets["influxdb"]?.["password"] ?? "",
    org: server.org,
    bucket,
    token: server.token ?? "",
    retentionSeconds,
  };
  await setUp(server, wanted, limits);
}

async function takeTokens({ context, twin, askTokens }: Forming, limits: Limits): Promise<void> {
  const found = (await findTokens(serverOf(context.self, context), limits)) ?? keptTokens();
  const tokens = found ?? (twin?.alive ? await askTokens(twin.member.name) : undefined);
  if (tokens) await keepTokens(tokens);
}
