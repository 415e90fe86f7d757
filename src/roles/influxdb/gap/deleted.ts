import { randomUUID } from "node:crypto";
import * as v from "valibot";
import { ChimeError, refused } from "../../../core/errors.ts";
import { makeParents, readText, writeAtomically } from "../../../host/files.ts";
import type { Limits } from "../../http.ts";
import type { Server } from "../client.ts";
import { deletePoints } from "../delete.ts";
import { organisationId } from "../organisation.ts";
import type { Range } from "./time.ts";

const text = v.pipe(v.string(), v.maxLength(4096));
const deletionSchema = v.object({
  id: v.pipe(v.string(), v.maxLength(64)),
  bucket: text,
  start: v.pipe(v.string(), v.isoTimestamp(), v.maxLength(40)),
  stop: v.pipe(v.string(), v.isoTimestamp(), v.maxLength(40)),
  predicate: text,
  /** When it was asked for. */
  at: v.pipe(v.string(), v.isoTimestamp(), v.maxLength(40)),
  /** The node on which it was asked for: there it is done first. Those of older agents do not say. */
  by: v.optional(v.pipe(v.string(), v.maxLength(64))),
  /** The nodes on whose servers it was done. */
  done: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(16)),
  /** Those whose servers refuse it for good. */
  refused: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(16)), []),
});

/** As it is kept, and told to the other node. */
export const deletionsSchema = v.pipe(v.array(deletionSchema), v.maxLength(10_000));
export type Deletion = v.InferOutput<typeof deletionSchema>;

/** What is neither compared nor filled: what was deleted there would come back from the server that still has it. */
export interface Withheld extends Range {
  bucket: string;
}

/** One that was done on both is kept for so long. */
const keptMs = 2 * 86_400_000;
/** So many on each node, and so much: what both know is told in one message of 1 MiB (`peerFrameBytes`). */
const most = 1_000;
const mostBytes = 400_000;
/** Of what is deleted, characters. */
export const mostPredicate = 2_048;

/**
 * What was deleted by `influxdb delete`, and on which of the nodes: counts do not see a deletion, and a repair would bring
 * the points back from the node that was away.
 */
export class Deletions {
  readonly #path: string;
  #all: Deletion[];
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(path: string, all: Deletion[]) {
    this.#path = path;
    this.#all = all;
  }

  /** @throws Error on a file that is not understood: without it a repair could bring back what was deleted */
  static async load(path: string): Promise<Deletions> {
    const found = await readText(path);
    return new Deletions(path, found === undefined ? [] : v.parse(deletionsSchema, JSON.parse(found)));
  }

  get all(): readonly Deletion[] {
    return this.#all;
  }

  /** Those that this node's server does not know of, oldest first. */
  pendingOn(node: string): Deletion[] {
    return this.#all.filter(({ done }) => !done.includes(node));
  }

  /** Those of them that are waited for. */
  awaitedOn(node: string): Deletion[] {
    return this.pendingOn(node).filter(({ refused }) => !refused.includes(node));
  }

  /** What one of these servers still has, for it refuses to delete it. */
  withheldBy(nodes: readonly string[]): Withheld[] {
    return joined(this.#all.filter(({ refused }) => refused.some((node) => nodes.includes(node))));
  }

  /**
   * Those of them that may be done there now: on one server after the other. A point that is written meanwhile to a series
   * that is being deleted may be in nobody's index afterwards [tried]: only the server that does not delete has it for sure.
   * @param present the nodes that have the role
   */
  dueOn(node: string, present: readonly string[]): Deletion[] {
    const isFirst = ({ by }: Deletion) => by === undefined || by === node || !present.includes(by);
    return this.pendingOn(node).filter((one) => isFirst(one) || one.done.length > 0);
  }

  /**
   * On the disk before it is done anywhere. Its end is now at the latest: what comes later was never seen.
   * @param present the nodes that have the role: where there is no more room, the oldest one that all of them have done makes
   * way. Not before: a node that has left may join again with the data that it kept, and then does what it is told
   * @throws ChimeError `influxdb.many_deletions` (exit 3)
   */
  async add(
    wanted: Omit<Deletion, "id" | "at" | "done" | "refused">,
    now: number,
    present: readonly string[],
  ): Promise<Deletion> {
    const at = new Date(now).toISOString();
    const stop = Date.parse(wanted.stop) > now ? at : wanted.stop;
    const deletion = { ...wanted, stop, id: randomUUID(), at, done: [], refused: [] };
    const isOver = ({ at, done }: Deletion) => isOld(at, now) && present.every((node) => done.includes(node));
    const gone = new Set<string>();
    const withIt = (all: readonly Deletion[]) => [...all.filter(({ id }) => !gone.has(id)), deletion];
    while (!fits(withIt(this.#all))) {
      const oldest = this.#all.find((one) => isOver(one) && !gone.has(one.id));
      if (!oldest) throw tooMany(present);
      gone.add(oldest.id);
    }
    await this.#change(withIt, now);
    return deletion;
  }

  /** Takes over what another node knows: of deletions, and of where they were done. */
  merge(others: readonly Deletion[], now: number): Promise<void> {
    return this.#change((all) => {
      const merged = new Map(all.map((deletion) => [deletion.id, deletion]));
      for (const theirs of others) {
        const ours = merged.get(theirs.id);
        const done = union(ours?.done, theirs.done);
        const refused = union(ours?.refused, theirs.refused).filter((node) => !done.includes(node));
        merged.set(theirs.id, { ...(ours ?? theirs), done, refused });
      }
      return [...merged.values()];
    }, now);
  }

  /**
   * Does one of them on a node's server, and with it those that this refused and of which nothing is left then. Killed in
   * between it is done again, which deletes points in that part of time that were written since: a repair brings them from the
   * other node. So each node does it on its own server alone, and never twice at a time.
   * @throws ChimeError `influxdb.refused` where the server does not understand it, `influxdb.*`
   */
  async applyOn(
    node: string,
    server: Server,
    deletion: Deletion,
    limits: Limits,
    now: number,
  ): Promise<void> {
    const { id, bucket, start, stop, predicate } = deletion;
    const what = { bucket, start, stop, predicate };
    await deletePoints(server, what, limits).catch(async (error: unknown) => {
      if (!(error instanceof ChimeError && error.code === "influxdb.missing")) throw error;
      // Where the bucket is not, there is nothing to delete; where the organisation is not, it has another name.
      if ((await organisationId(server, limits)) === null) throw error;
    });
    const isDone = (one: Deletion) => one.id === id || (one.refused.includes(node) && holds(deletion, one));
    const done = (one: Deletion) => ({
      ...one,
      done: union(one.done, [node]),
      refused: one.refused.filter((other) => other !== node),
    });
    await this.#change((all) => all.map((one) => (isDone(one) ? done(one) : one)), now);
  }

  /** The node's server refuses it for good: what else is to be done is not held up by it. */
  refuse(id: string, node: string, now: number): Promise<void> {
    const refused = (one: Deletion) =>
      one.id === id ? { ...one, refused: union(one.refused, [node]) } : one;
    return this.#change((all) => all.map(refused), now);
  }

  /**
   * It is to be done nowhere. The other node may have heard of it already: it counts as done everywhere, for what is only
   * forgotten here would come back from there, and keep both from being filled.
   * @param present the nodes that have the role
   */
  giveUp(id: string, present: readonly string[], now: number): Promise<void> {
    const done = present.toSorted();
    const given = (one: Deletion) => (one.id !== id ? [one] : done.length > 1 ? [{ ...one, done }] : []);
    return this.#change((all) => all.flatMap(given), now);
  }

  /** One after the other, each from what the one before has left; on the disk before it counts. */
  #change(by: (all: readonly Deletion[]) => Deletion[], now: number): Promise<void> {
    const changed = this.#changing.then(() => this.#save(by(this.#all), now));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #save(all: Deletion[], now: number): Promise<void> {
    const kept = all
      .filter(({ at, done }) => done.length < 2 || !isOld(at, now))
      .sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
    if (Bun.deepEquals(kept, this.#all)) return;
    await makeParents(this.#path);
    await writeAtomically(this.#path, JSON.stringify(kept), { mode: 0o600, uid: 0, gid: 0 });
    this.#all = kept;
  }
}

const union = (some: readonly string[] = [], others: readonly string[]): string[] =>
  [...new Set([...some, ...others])].sort();

/** One of them deletes all that the other one does. Pure. */
function holds(one: Deletion, other: Deletion): boolean {
  const isOfAll = one.predicate === "" || one.predicate === other.predicate;
  const [first, second] = [rangeOf(one), rangeOf(other)];
  return one.bucket === other.bucket && isOfAll && first.from <= second.from && second.to <= first.to;
}

/** Whole milliseconds: a part of one counts as all of it. Pure. */
export function rangeOf({ start, stop }: Pick<Deletion, "start" | "stop">): Range {
  return { from: Date.parse(start), to: Date.parse(stop) + 1 };
}

/** Their times, one of those that meet. Pure. */
function joined(deletions: readonly Deletion[]): Withheld[] {
  const all = deletions.map((one) => ({ bucket: one.bucket, ...rangeOf(one) }));
  const out: Withheld[] = [];
  for (const next of all.sort((a, b) => a.from - b.from)) {
    const last = out.findLast(({ bucket }) => bucket === next.bucket);
    if (last && next.from <= last.to) last.to = Math.max(last.to, next.to);
    else out.push(next);
  }
  return out;
}

const fits = (all: readonly Deletion[]): boolean =>
  all.length <= most && Buffer.byteLength(JSON.stringify(all)) <= mostBytes;

function tooMany(present: readonly string[]): Error {
  return refused(
    "influxdb.many_deletions",
    `too many deletions are not done on ${present.join(" and ")} yet, or were done in the last two days`,
    present.length > 1
      ? "bring the node back on which they are to be done, or chime-node remove it; delete more at a time"
      : "delete more at a time",
  );
}

const isOld = (at: string, now: number): boolean => now - Date.parse(at) >= keptMs;
