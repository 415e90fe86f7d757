import { systemClock } from "../core/clock.ts";
import { ChimeError, failed } from "../core/errors.ts";
import { shuffled } from "../core/random.ts";
import type { BundleFile } from "./manifest.ts";
import { pullFile, type Arrived, type FileSource } from "./pull-file.ts";

/** A node that has files of the bundle. */
export interface Source extends FileSource {
  /** Names of those that it has by now: it is taking them from others itself. Undefined: it has them all. */
  readonly has?: () => Promise<ReadonlySet<string>>;
}

export interface PullOptions {
  files: readonly BundleFile[];
  /** Where they come together, whole ones apart from those that are coming. What an earlier pull left there is used. */
  places: { coming: string; whole: string };
  /** Who has something by now; asked again while there is something to do. */
  readonly find: () => Promise<readonly Source[]>;
  readonly arrived: Arrived;
  signal: AbortSignal;
}

/** Between two looks at who else has something by now. */
const lookMs = 250;
/** Nodes that all wait for each other are given up after this: who had the rest is gone. */
const patienceMs = 20_000;

/**
 * Brings files of a signed manifest from other nodes: each is asked for one file at a time. Of a node that has them all,
 * those come first that no other one has; nodes that take the bundle at the same time take different files first, and
 * the rest from each other. Each file counts when its bytes have the manifest's sum; what was cut off goes on where it
 * ended, from any node that is left. A node that fails or gives something else is asked no more.
 * @throws ChimeError `bundle.pull_failed`, `host.no_space`, `file.*`
 */
export async function pullFiles({ files, places, find, arrived, signal }: PullOptions): Promise<void> {
  const wanted = new Map(shuffled(files).map((file) => [file.name, file]));
  const held = new Map<string, ReadonlySet<string>>();
  const busy = new Map<string, Promise<void>>();
  const failing = new Set<string>();
  let reason = "none has it";
  let fatal: unknown;
  const isLost = () => fatal !== undefined;

  const isElsewhere = (name: string) => [...held.values()].some((names) => names.has(name));
  /** The next one of this node, which nobody else takes then. */
  const take = async ({ node, has }: Source): Promise<BundleFile | undefined> => {
    const names = await has?.();
    if (names) held.set(node, names);
    const next = [...wanted.values()].find(({ name }) => (names ? names.has(name) : !isElsewhere(name)));
    if (next) wanted.delete(next.name);
    return next;
  };
  const drain = async (source: Source): Promise<void> => {
    let file: BundleFile | undefined;
    try {
      while (!isLost() && (file = await take(source))) {
        signal.throwIfAborted();
        await pullFile(file, places, source, arrived);
      }
    } catch (error) {
      if (file) wanted.set(file.name, file);
      // Where our own disk says no, no other node can help.
      if (!(error instanceof ChimeError) || /^(host|file)\./.test(error.code)) fatal = error;
      else reason = error.message;
      failing.add(source.node);
      held.delete(source.node);
    }
  };

  let lastBusy = systemClock.now();
  while (wanted.size > 0 || busy.size > 0) {
    const sources = (await find()).filter(({ node }) => !failing.has(node));
    for (const source of sources.filter(({ node }) => !busy.has(node))) {
      busy.set(
        source.node,
        drain(source).finally(() => busy.delete(source.node)),
      );
    }
    const rest = systemClock.sleep(lookMs, signal);
    const done = Promise.all(busy.values());
    await Promise.race([rest, done.then(() => (wanted.size > 0 ? rest : undefined))]);
    if (busy.size > 0) lastBusy = systemClock.now();
    const isStuck = sources.every(({ has }) => has) && systemClock.now() - lastBusy > patienceMs;
    if (isLost() || sources.length === 0 || isStuck) break;
  }
  await Promise.all(busy.values());
  if (isLost()) throw fatal;
  const [left] = wanted.keys();
  if (left === undefined) return;
  throw failed(
    "bundle.pull_failed",
    `no node brings ${left} of the bundle: ${reason}`,
    "run the same command again: it goes on where this ended",
  );
}
