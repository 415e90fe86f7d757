import { callAgent } from "../agent/socket.ts";
import { systemClock } from "../core/clock.ts";
import { failed, refused, usageError } from "../core/errors.ts";
import { withLock } from "../core/lock.ts";
import { paths } from "../core/paths.ts";
import { listBuckets } from "../roles/influxdb/buckets.ts";
import { bothIncluded } from "../roles/influxdb/delete.ts";
import { originOf, type Limits } from "../roles/http.ts";
import type { Server } from "../roles/influxdb/client.ts";
import { mostPredicate, type Withheld } from "../roles/influxdb/gap/deleted.ts";
import type { Filled } from "../roles/influxdb/gap/fill.ts";
import { FillRecord } from "../roles/influxdb/gap/record.ts";
import { compareTwins, repairTwins, type CompareOptions } from "../roles/influxdb/gap/repair.ts";
import type { Held, Which } from "../roles/influxdb/gap/sides.ts";
import { allTime, overlap, rangeText, type Range } from "../roles/influxdb/gap/time.ts";
import type { Gap } from "../roles/influxdb/gap/windows.ts";
import type { DeletionResult } from "../roles/influxdb/guard/deleting.ts";
import { whyWithheld } from "../roles/influxdb/guard/refused.ts";
import { influxdbSpec, nodes, probeBucket, roleName } from "../roles/influxdb/layout.ts";
import { twinOf } from "../roles/influxdb/mate.ts";
import { isUp } from "../roles/influxdb/setup.ts";
import { serverOf } from "../roles/influxdb/servers.ts";
import { renderTelegraf } from "../roles/influxdb/telegraf.ts";
import { keptTokens } from "../roles/influxdb/tokens.ts";
import { readContext } from "./context.ts";
import { deleteByAgent } from "./influxdb-deletion.ts";
import type { Io } from "./io.ts";

export interface CompareRequest {
  /** Milliseconds since the Unix epoch. Default: everything, but what may be under way. */
  from: number | undefined;
  to: number | undefined;
  /** Also all values, where there are as many of them on both. */
  contents: boolean;
  /** The node whose value counts where both have another one, once it is repaired. */
  prefer?: string | undefined;
}

export interface RepairRequest extends CompareRequest {
  /** Without leaving the servers to their clients. */
  fast: boolean;
}

/** One gap, as it is told: of which node how many values are missing, at least. */
export interface FoundGap {
  bucket: string;
  measurement: string;
  from: string;
  to: string;
  missing: Record<string, number>;
}

/** A bucket that cannot be compared: the others are. */
export interface HeldBucket {
  bucket: string;
  code: string;
  message: string;
  remedy: string | null;
}

export interface CompareResult {
  nodes: [string, string];
  gaps: FoundGap[];
  held: HeldBucket[];
  seconds: number;
}

export interface RepairResult extends CompareResult {
  /** Points that each node was given, and those of them that it did not take. */
  written: Record<string, number>;
  refused: Record<string, number>;
  /** Why, in the server's words. */
  why: string | null;
  /** Where they still differ. */
  left: FoundGap[];
}

/** One request among many. */
const requestMs = 60_000;
/** A server that is there and busy answers a ping within it, ms. */
const upMs = 10_000;
/** How often a repair says that it goes on, ms. */
const goOnMs = 4_000;
/** What clients write to one and then to the other is under way for so long at most, ms. */
const underWayMs = 10_000;

/** This node's server, and the other one's. */
interface Twins {
  names: Record<Which, string>;
  mine: Server;
  other: Server;
  bucket: string;
}

/**
 * Where the two servers differ. Nothing is touched.
 * @throws ChimeError `usage.range`, `usage.node` (exit 2), `influxdb.no_twin` (exit 3), `influxdb.not_both`, `influxdb.*`
 */
export async function compareServers(request: CompareRequest, io: Io): Promise<CompareResult> {
  const started = systemClock.now();
  const range = rangeOf(request);
  const twins = await findTwins();
  preferred(request.prefer, twins);
  await requireBoth(twins, io);
  const { gaps, held } = await compareTwins(twins.mine, twins.other, range, compareOptions(request, io));
  return { ...describe(twins, gaps), held: heldOf(held), seconds: since(started) };
}

/**
 * Gives each server what the other one has, and proves it. Run again it goes on. Not beside a deletion on either node: what
 * was read before would be given back.
 * @throws ChimeError `influxdb.not_both`, `influxdb.delete_pending`, `influxdb.deleting`, `influxdb.repair_late`, `lock.held` (exit 3), and of `compareServers`
 */
export async function repairServers(request: RepairRequest, io: Io): Promise<RepairResult> {
  // What is refused is refused before the guards halt what they fill.
  rangeOf(request);
  const twins = await findTwins();
  preferred(request.prefer, twins);
  await requireBoth(twins, io);
  return withLock(roleName, "influxdb repair", async () => {
    const over = new AbortController();
    const signal = AbortSignal.any([io.signal, over.signal]);
    try {
      io.progress("seeing to it that what was deleted is deleted on both");
      const withheld = await askGuard<Withheld[]>("repair", {}, io);
      // Interrupted, it waits for what it has written to be answered.
      sayItGoesOn(over, { ...io, signal: over.signal });
      return await repairNow(request, withheld, { ...io, signal });
    } finally {
      over.abort();
      await askGuard("repaired", {}, { ...io, signal: AbortSignal.timeout(requestMs) }).catch(
        () => undefined,
      );
    }
  });
}

/** Without it the guards would take this for one that was killed, and let others delete. Where they do not hear it, it ends. */
function sayItGoesOn(over: AbortController, io: Io): void {
  const say = async () => {
    while (!io.signal.aborted) {
      await askGuard("repairing", {}, io, goOnMs);
      await systemClock.sleep(goOnMs, io.signal);
    }
  };
  say().catch((error: unknown) => over.abort(error));
}

async function repairNow(
  request: RepairRequest,
  withheld: readonly Withheld[],
  io: Io,
): Promise<RepairResult> {
  const started = systemClock.now();
  const range = rangeOf(request);
  const twins = await findTwins();
  const authority = preferred(request.prefer, twins);
  const { found, filled, left, held } = await repairTwins(twins.mine, twins.other, range, {
    ...compareOptions(request, io),
    withheld,
    isGentle: !request.fast,
    authority,
    record: await FillRecord.load(paths.influxdbRepair),
    filling: (sofar) => io.progress(fillingLine(sofar, twins)),
  });
  return {
    ...describe(twins, found),
    written: named(twins, filled.written),
    refused: named(twins, filled.refused),
    why: filled.why ?? null,
    left: describe(twins, left).gaps,
    held: heldOf([...held, ...heldBy(withheld, range)]),
    seconds: since(started),
  };
}

export interface DeleteRequest {
  from: number;
  to: number;
  /** Default: where applications write. */
  bucket: string | undefined;
  /** `_measurement="cpu" AND host="a"`; without, all points of that time. */
  where: string | undefined;
}

/**
 * Deletes points on both servers, one after the other; on one that is away, before it is filled. Interrupted, the agents go on.
 * @param asked called before the agent is: from then on it may have begun
 * @throws ChimeError `usage.range`, `influxdb.long_where`, `influxdb.no_bucket`, `influxdb.delete_declined` (exit 2),
 * `influxdb.repairing`, `influxdb.repair_unknown` (exit 3), `influxdb.refused`
 */
export async function deleteFromServers(request: DeleteRequest, io: Io, asked: () => void): Promise<Deleted> {
  const range = pastOf(rangeOf(request));
  requireShort(request.where);
  return withLock(roleName, "influxdb delete", () => deleteNow(request, range, io, asked));
}

type Deleted = DeletionResult & { summary: string };

async function deleteNow(
  request: Pick<DeleteRequest, "bucket" | "where">,
  range: Range,
  io: Io,
  asked: () => void,
): Promise<Deleted> {
  const twins = await findTwins(true);
  const bucket = request.bucket ?? twins.bucket;
  await requireBucket(bucket, twins, limitsOf(io));
  const what = request.where === undefined ? "ALL points" : `points where ${request.where}`;
  if (!(await io.confirm(`Delete ${what} of ${rangeText(range)} from bucket ${bucket} on both servers?`))) {
    throw usageError("influxdb.delete_declined", "nothing was deleted");
  }
  asked();
  const wanted = { bucket, ...bothIncluded(range), predicate: request.where ?? "" };
  const result = await deleteByAgent(wanted, io);
  const later = result.pending.map((name) => `; on ${name} before it is filled`).join("");
  return { ...result, summary: `deleted on ${result.done.join(" and ")}${later}` };
}

/** Each deletion is kept for days, and told to the other node whenever one is to be filled. */
function requireShort(where = ""): void {
  if (where.length <= mostPredicate) return;
  throw usageError(
    "influxdb.long_where",
    `--where has ${where.length} characters, and may have ${mostPredicate}`,
    "delete by fewer tags",
  );
}

function askGuard<T>(method: string, params: unknown, { signal }: Io, timeoutMs = 2 * requestMs): Promise<T> {
  return callAgent<T>("role.command", { role: roleName, method, params }, { signal, timeoutMs });
}

async function findTwins(isOneEnough = false): Promise<Twins> {
  const { context, view } = await readContext();
  if (!context.self.roles.includes(roleName)) {
    throw refused(
      "influxdb.not_here",
      "this node does not have the role influxdb",
      "run this on one that has",
    );
  }
  const twin = twinOf(context.self, view.members);
  if (!twin && !isOneEnough) {
    throw refused(
      "influxdb.no_twin",
      "there is no second node with the role influxdb to compare with",
      "chime-node join --role influxdb, on another node",
    );
  }
  const other = twin?.member ?? context.self;
  return {
    names: { mine: context.self.name, other: other.name },
    mine: serverOf(context.self, context),
    other: serverOf(other, context),
    bucket: influxdbSpec(context).bucket,
  };
}

/** Within seconds: a node that is switched off answers nothing for as long as it is waited for. @throws ChimeError `influxdb.not_both` */
export async function requireBoth(
  { names, mine, other }: Pick<Twins, "names" | "mine" | "other">,
  { signal, progress }: Io,
) {
  progress("asking whether both servers are there");
  const isThere = await Promise.all([mine, other].map((server) => isUp(server, { timeoutMs: upMs, signal })));
  const silent = [names.mine, names.other].filter((_, nth) => !isThere[nth]);
  if (silent.length === 0) return;
  throw failed("influxdb.not_both", `${silent.join(" and ")}: no InfluxDB answers there, and it takes both`, {
    remedy: "chime-node status says why",
  });
}

/** @throws ChimeError `influxdb.no_bucket` */
export async function requireBucket(
  wanted: string,
  { names, mine }: Pick<Twins, "names" | "mine">,
  limits: Limits,
): Promise<void> {
  const all = (await listBuckets(mine, limits)).map(({ name }) => name);
  if (all.includes(wanted)) return;
  throw usageError(
    "influxdb.no_bucket",
    `${names.mine} has no bucket ${wanted}: its buckets are ${all.join(", ")}`,
    "name one of them with --bucket; chime-node apply --role influxdb makes those of cluster.toml",
  );
}

/** What comes later than now nobody has seen. @throws ChimeError `usage.range` */
function pastOf({ from, to }: Range): Range {
  const now = systemClock.wall();
  if (from < now) return { from, to: Math.min(to, now) };
  throw usageError(
    "usage.range",
    `--from is in the future, and delete goes up to now: ${rangeText({ from, to })}`,
  );
}

/** @throws ChimeError `usage.range` */
function rangeOf({ from, to }: Pick<CompareRequest, "from" | "to">): Range {
  const range = { from: from ?? allTime.from, to: to ?? systemClock.wall() - underWayMs };
  if (range.from < range.to) return range;
  const what =
    to === undefined ? "--from is not before now, less the last ten seconds" : "--from is not before --to";
  throw usageError("usage.range", `${what}: ${rangeText(range)}`);
}

function compareOptions({ contents }: CompareRequest, io: Io): CompareOptions {
  const ignored = [probeBucket.name];
  return {
    limits: limitsOf(io),
    clock: systemClock,
    ignored,
    contents,
    isGentle: false,
    progress: io.progress,
  };
}

function limitsOf({ signal }: Io): Limits {
  return { timeoutMs: requestMs, signal };
}

/** @throws ChimeError `usage.node` */
function preferred(name: string | undefined, { names }: Twins): Which | undefined {
  if (name === undefined) return undefined;
  if (name === names.mine) return "mine";
  if (name === names.other) return "other";
  throw usageError("usage.node", `--prefer ${name}: the nodes are ${names.mine} and ${names.other}`);
}

function fillingLine({ written, points }: Filled, { names }: Twins): string {
  return `filling: ${points} points compared, ${written.mine} given to ${names.mine}, ${written.other} to ${names.other}`;
}

function heldOf(held: readonly Held[]): HeldBucket[] {
  return held.map(({ bucket, why: { code, message, remedy } }) => ({
    bucket,
    code,
    message,
    remedy: remedy ?? null,
  }));
}

function heldBy(withheld: readonly Withheld[], range: Range): Held[] {
  return withheld
    .filter((one) => overlap(one, range))
    .map((one) => ({ bucket: one.bucket, why: whyWithheld(one) }));
}

function describe({ names }: Twins, gaps: readonly Gap[]): Omit<CompareResult, "held" | "seconds"> {
  return {
    nodes: [names.mine, names.other],
    gaps: gaps.map(({ bucket, measurement, from, to, missing }) => ({
      bucket,
      measurement,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      missing: named({ names }, missing),
    })),
  };
}

function named(
  { names }: Pick<Twins, "names">,
  { mine, other }: Record<Which, number>,
): Record<string, number> {
  return { [names.mine]: mine, [names.other]: other };
}

function since(started: number): number {
  return Math.round(systemClock.now() - started) / 1000;
}

/**
 * A configuration of Telegraf, which gives both servers what its clients write to one address.
 * @throws ChimeError `influxdb.no_token` (exit 3)
 */
export async function renderRelay(): Promise<string> {
  const { context } = await readContext();
  const token = keptTokens()?.write;
  if (token === undefined) {
    throw refused(
      "influxdb.no_token",
      `${context.self.name} does not know the token for writing`,
      `run it on a node that is ready for ${roleName}: chime-node status`,
    );
  }
  const endpoints = nodes(context.members).map((node) => originOf(serverOf(node, context)));
  const { org } = influxdbSpec(context);
  return renderTelegraf({ cluster: context.cluster.name, endpoints, org, token });
}
