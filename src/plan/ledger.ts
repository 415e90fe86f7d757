import { chmod, open, readFile, stat, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { failed } from "../core/errors.ts";
import { paths } from "../core/paths.ts";
import { fileError, makePrivateDirectory, syncPath } from "../host/files.ts";

/**
 * What we made on this host and what was there before: an append-only file of JSON lines, each on disk before the act
 * that it announces. Killed at any moment, it tells the truth or a little more than the truth, never less.
 */
export interface Ledger {
  /** Directory (0700) for copies of what was replaced. Made by the first `before`. */
  readonly backups: string;
  /** Notes durably, before the first change, what was there. Later calls for the same id change nothing. */
  before(id: string, before: unknown): Promise<void>;
  /** Notes that the resource is as `desired` says now. */
  done(id: string, desired: string): Promise<void>;
  /** Hash of the desired state we last reached, if any. */
  reached(id: string): string | undefined;
  /** What `before` noted, if we touched it. */
  noted(id: string): unknown;
  /** Notes that the resource was taken back. */
  forget(id: string): Promise<void>;
  /** All ids we touched, in the order of the first touch. */
  ids(): string[];
}

const entrySchema = v.variant("op", [
  v.object({ op: v.literal("before"), id: v.string(), before: v.unknown() }),
  v.object({ op: v.literal("done"), id: v.string(), desired: v.string() }),
  v.object({ op: v.literal("forget"), id: v.string() }),
]);
type Entry = v.InferOutput<typeof entrySchema>;

interface State {
  before: Map<string, unknown>;
  reached: Map<string, string>;
}

/** Far above any real ledger; a bigger file is not ours. */
const largestLedger = 64 << 20;

/**
 * Reads the ledger; nothing is written before the first note.
 * @throws ChimeError `ledger.corrupt` when a whole line is not an entry (a torn last line is what a kill leaves)
 */
export async function openLedger(
  file: string = paths.ledger,
  backups: string = join(dirname(file), "backups"),
): Promise<Ledger> {
  const state: State = { before: new Map(), reached: new Map() };
  let whole = await load(file, state);
  let prepared = false;
  let queue: Promise<void> = Promise.resolve();

  async function write(entry: Entry): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    try {
      if (!prepared) await prepare(file, backups, whole);
      prepared = true;
      const handle = await open(file, "a", 0o600);
      try {
        await handle.appendFile(line);
        await handle.datasync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      // Half a line of a full disk must not get the next one behind it.
      prepared = false;
      throw fileError(file, error);
    }
    whole += line.length;
    note(state, entry);
  }
  /** One after another: lines of resources that work side by side must not mix. */
  function append(entry: Entry): Promise<void> {
    const next = queue.then(() => write(entry));
    queue = next.catch(() => undefined);
    return next;
  }

  return {
    backups,
    async before(id, before) {
      if (!state.before.has(id)) await append({ op: "before", id, before: before ?? null });
    },
    async done(id, desired) {
      if (state.reached.get(id) !== desired) await append({ op: "done", id, desired });
    },
    reached: (id) => state.reached.get(id),
    noted: (id) => state.before.get(id),
    forget: (id) => append({ op: "forget", id }),
    ids: () => [...state.before.keys()],
  };
}

function note(state: State, entry: Entry): void {
  if (entry.op === "before") {
    if (!state.before.has(entry.id)) state.before.set(entry.id, entry.before);
  } else if (entry.op === "done") state.reached.set(entry.id, entry.desired);
  else {
    state.before.delete(entry.id);
    state.reached.delete(entry.id);
  }
}

/** Returns the length in bytes of the whole lines. */
async function load(file: string, state: State): Promise<number> {
  const info = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!info) return 0;
  if (info.size > largestLedger) throw corrupt(file, "it is larger than 64 MiB");
  const bytes = await readFile(file);
  const whole = bytes.lastIndexOf(10) + 1;
  const lines = bytes.subarray(0, whole).toString("utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    if (!line) continue;
    const entry = v.safeParse(entrySchema, parseJson(line));
    if (!entry.success) throw corrupt(file, `line ${index + 1} is not an entry`);
    note(state, entry.output);
  }
  return whole;
}

/** Cuts off a torn last line: it was never acknowledged, so nothing was done on its word. */
async function prepare(file: string, backups: string, whole: number): Promise<void> {
  await makePrivateDirectory(dirname(file));
  await makePrivateDirectory(backups);
  const handle = await open(file, "a", 0o600);
  await handle.close();
  await chmod(file, 0o600);
  await truncate(file, whole);
  await syncPath(dirname(file));
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function corrupt(file: string, why: string): Error {
  return failed("ledger.corrupt", `the ledger ${file} cannot be read: ${why}`, {
    remedy: `repair or move away ${file}; without it, reset does not know what to take back`,
  });
}
