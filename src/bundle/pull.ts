import { systemClock, type Clock } from "../core/clock.ts";
import { ChimeError, failed } from "../core/errors.ts";
import { shuffled } from "../core/random.ts";
import { ComingFile, type Arrived, type FileSource, type Places } from "./coming-file.ts";
import type { BundleFile } from "./manifest.ts";

/** A node that has files of the bundle. */
export interface Source extends FileSource {
  /** Names of those that it has by now: it is taking them from others itself. Undefined: it has them all. */
  readonly has?: () => Promise<ReadonlySet<string>>;
}

export interface PullOptions {
  files: readonly BundleFile[];
  /** What an earlier pull left there is used. */
  places: Places;
  /** Who has something by now; asked again while there is something to do. */
  readonly find: () => Promise<readonly Source[]>;
  readonly arrived: Arrived;
  /** Told of a node that gives something else than was signed. */
  readonly warn: (message: string) => void;
  signal: AbortSignal;
  clock?: Clock;
}

/** Between two looks at who else has something by now. */
const lookMs = 250;
/** For an answer; and for nodes that all wait for each other: who had the rest is gone. */
const patienceMs = 20_000;

/** What one node is asked for. */
interface Job {
  coming: ComingFile;
  chunk: NonNullable<ReturnType<ComingFile["take"]>>;
}

/**
 * Brings files of a signed manifest from other nodes, in chunks, each from any node that has the file and checked when
 * it is there. Each node is asked for one at a time: of five that begin together, each has something to give the
 * sooner. Of a node that has all files, those come first that no other one has; nodes that take the bundle at the same
 * time take different files first, and the rest from each other. What was cut off goes on where it ended. A node that
 * fails, does not answer for 20 s or gives something else is asked no more.
 * @throws ChimeError `bundle.pull_failed`, `host.no_space`, `file.*`
 */
export async function pullFiles(options: PullOptions): Promise<void> {
  const { files, places, find, arrived, warn, signal, clock = systemClock } = options;
  const wanted = new Map(shuffled(files).map((file) => [file.name, file]));
  const begun = new Map<string, Promise<ComingFile>>();
  const held = new Map<string, ReadonlySet<string>>();
  const busy = new Map<string, Promise<void>>();
  const failing = new Set<string>();
  let reason = "none has it";
  let fatal: unknown;
  const isLost = () => fatal !== undefined;
  const isDone = () => wanted.size === 0 && begun.size === 0;

  const isElsewhere = (name: string) => [...held.values()].some((names) => names.has(name));
  const finish = async (coming: ComingFile) => {
    if (coming.isWhole && begun.delete(coming.file.name)) await coming.finish();
  };
  /** The next one of this node, which nobody else takes then: of a file that was begun, so that others soon have it. */
  const take = async ({ node, has }: Source): Promise<Job | undefined> => {
    const names = has && (await inTime(has(), node, clock));
    if (names) held.set(node, names);
    const gives = (name: string) => (names ? names.has(name) : !isElsewhere(name));
    for (;;) {
      for (const [name, opening] of begun) {
        if (!gives(name)) continue;
        const coming = await opening;
        const chunk = coming.take();
        if (chunk) return { coming, chunk };
      }
      const next = [...wanted.values()].find(({ name }) => gives(name));
      if (!next) return undefined;
      wanted.delete(next.name);
      const opening = ComingFile.open(next, places);
      begun.set(next.name, opening);
      const coming = await opening;
      if (coming.present > 0) arrived(coming.present, undefined);
      await finish(coming);
    }
  };
  const drain = async (source: Source): Promise<void> => {
    const { node } = source;
    const read: Source["read"] = (...what) => inTime(source.read(...what), node, clock);
    let job: Job | undefined;
    try {
      while (!isLost() && (job = await take(source))) {
        signal.throwIfAborted();
        await job.coming.bring(job.chunk, { node, read }, arrived);
        await finish(job.coming);
        job = undefined;
      }
    } catch (error) {
      if (job) job.coming.giveBack(job.chunk);
      // Where our own disk says no, no other node can help.
      if (!(error instanceof ChimeError) || /^(host|file)\./.test(error.code)) fatal = error;
      else reason = error.message;
      if (error instanceof ChimeError && error.code === "bundle.pull_wrong") {
        warn(`${error.message}: it is asked no more`);
      }
      failing.add(node);
      held.delete(node);
    }
  };

  try {
    let lastBusy = clock.now();
    while (!isDone() || busy.size > 0) {
      const sources = (await find()).filter(({ node }) => !failing.has(node));
      // What one had that is gone is to come from others.
      for (const node of held.keys()) if (!sources.some((one) => one.node === node)) held.delete(node);
      for (const source of sources) {
        if (busy.has(source.node)) continue;
        busy.set(
          source.node,
          drain(source).finally(() => busy.delete(source.node)),
        );
      }
      const rest = clock.sleep(lookMs, signal);
      const done = Promise.all(busy.values());
      await Promise.race([rest, done.then(() => (isDone() ? undefined : rest))]);
      if (busy.size > 0) lastBusy = clock.now();
      const isStuck = sources.every(({ has }) => has) && clock.now() - lastBusy > patienceMs;
      if (isLost() || sources.length === 0 || isStuck) break;
    }
    await Promise.all(busy.values());
  } finally {
    for (const opening of begun.values())
      await opening.then((coming) => coming.close()).catch(() => undefined);
  }
  if (isLost()) throw fatal;
  const [left] = [...begun.keys(), ...wanted.keys()];
  if (left === undefined) return;
  throw failed(
    "bundle.pull_failed",
    `no node brings ${left} of the bundle: ${reason}`,
    "run the same command again: it goes on where this ended",
  );
}

/** @throws ChimeError `peer.timeout` where the node lets us wait, and what the answer throws */
async function inTime<T>(answer: Promise<T>, node: string, clock: Clock): Promise<T> {
  const over = new AbortController();
  const late = clock.sleep(patienceMs, over.signal).then((): never => {
    throw failed("peer.timeout", `${node} has not answered for ${patienceMs / 1000} s`, { node });
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
}
