import { createHash, randomBytes, randomInt } from "node:crypto";
import { ChimeError, toChimeError } from "../../core/errors.ts";
import { systemClock } from "../../core/clock.ts";
import { inTurns } from "../../core/in-turns.ts";
import { deleteObject, getObject, listVersions, putInParts, putObject } from "../../roles/minio/s3.ts";
import type { Store } from "../../roles/minio/store.ts";
import { againMs, Clients, now } from "./clients.ts";

export interface ObjectSettings {
  /** Where clients reach it: the VIP. */
  store: Store;
  bucket: string;
  /** All names begin with it; nothing else in the bucket is touched. */
  prefix: string;
  /** How many clients change objects, and how many read them. */
  writers: number;
  readers: number;
  /** Pause after each answer, ms. */
  pauseMs: number;
  /** A request without an answer is given up after this, ms. */
  requestMs: number;
  /** Default: most changes are new objects. */
  turns?: Turns;
}

/** Which of twenty changes are what; the others are new objects. */
interface Turns {
  overwrite: number[];
  delete: number[];
  /** A new object, in parts. */
  parts: number[];
}

/** One request, or an upload in parts, for figures; `at` on the clock of `Date.now()`. */
export interface ObjectRequest {
  /** Which of the clients. */
  client: number;
  kind: "put" | "parts" | "delete" | "get";
  at: number;
  ms: number;
  /** Why it failed; null: it did not. */
  error: string | null;
  /** An upload in parts is several: when each of them but the last was answered well, on the clock of `at`. */
  answered?: number[];
}

/** An object that is not as it was promised. */
export interface ObjectFault {
  key: string;
  /**
   * `lost`: not there. `old`: as it was before what was acknowledged last. `undeleted`: the same, where that was a deletion.
   * `changed`: other bytes than any that were sent.
   */
  problem: "lost" | "old" | "undeleted" | "changed";
  /** A later change of it, that this had to survive, went unanswered. */
  unanswered: boolean;
}

/** What MinIO may do to an object that is being written over as a node dies, in a bucket without older states: keep neither (docs/minio-api.md). */
export function wasTorn({ problem, unanswered }: ObjectFault): boolean {
  return problem === "lost" && unanswered;
}

/** Its sha256; null where there is none. */
type State = string | null;

/** What one object may be: a change that nobody answered may have happened or not, or happen yet. */
interface Tracked {
  key: string;
  /** In the order in which they were asked for. */
  states: State[];
  /** The last of them that was acknowledged. */
  sure: number;
}

/** A server that has just started has no quorum for this or that object for a moment, and says that one may ask again. */
const insistMs = 10_000;
const insistPauseMs = 100;

/** A drill of some minutes leaves ten thousand states of its objects. */
const removers = 8;
/** Objects are read back so many at a time. */
const readers = 4;

async function insist(ask: () => Promise<unknown>): Promise<void> {
  for (const until = systemClock.now() + insistMs; ;) {
    try {
      await ask();
      return;
    } catch (error) {
      const mayPass = error instanceof ChimeError && error.code === "minio.no_quorum";
      if (!mayPass || systemClock.now() >= until) throw error;
      await systemClock.sleep(insistPauseMs);
    }
  }
}

/** More of them are deleted first, so that a long drill does not fill the disks. */
const mostObjects = 200;
const partBytes = 5 << 20;
const usualTurns: Turns = { overwrite: [3, 13], delete: [5, 10, 15], parts: [19] };

/**
 * Clients of a store: some put new objects, in parts too, write over, and delete; the others read what was acknowledged
 * and compare it by its hash, under way and at the end.
 */
export class ObjectClients extends Clients {
  readonly settings: ObjectSettings;
  protected readonly count: number;
  protected readonly patienceMs: number;
  readonly requests: ObjectRequest[] = [];
  /** What was read under way and was not as promised. */
  readonly misread: ObjectFault[] = [];
  readonly #all: Tracked[] = [];
  /** Those that are there for sure and that nobody changes just now. */
  readonly #free: Tracked[] = [];
  #next = 0;

  constructor(settings: ObjectSettings) {
    super();
    this.settings = settings;
    this.count = settings.writers + settings.readers;
    // An upload in parts is four requests.
    this.patienceMs = 4 * settings.requestMs;
  }

  /** Removes what a drill that was killed left, with all that the bucket keeps of it. @throws ChimeError `minio.*` */
  async clear(): Promise<void> {
    const { store, bucket, prefix, requestMs: timeoutMs } = this.settings;
    const all = await Array.fromAsync(listVersions(store, bucket, { timeoutMs, prefix }));
    await inTurns(all, removers, ({ key, id }) =>
      insist(() => deleteObject(store, bucket, key, { timeoutMs, version: id })),
    );
  }

  protected async client(nth: number, signal: AbortSignal): Promise<void> {
    const isWriter = nth < this.settings.writers;
    while (!signal.aborted) {
      const isAnswered = isWriter ? await this.#change(nth) : await this.#read(nth);
      await systemClock.sleep(isAnswered ? this.settings.pauseMs : againMs);
    }
  }

  async #change(nth: number): Promise<boolean> {
    const { turns = usualTurns } = this.settings;
    const id = this.#next++;
    const turn = id % 20;
    const old =
      this.#free.length > mostObjects || turns.delete.includes(turn) || turns.overwrite.includes(turn)
        ? this.#take()
        : undefined;
    if (!old)
      return this.#put(nth, id, this.#track(`${this.settings.prefix}${id}`), turns.parts.includes(turn));
    return turns.overwrite.includes(turn) ? this.#put(nth, id, old, false) : this.#delete(nth, id, old);
  }

  async #put(nth: number, id: number, tracked: Tracked, inParts: boolean): Promise<boolean> {
    const { store, bucket, requestMs: timeoutMs } = this.settings;
    const small = randomBytes(randomInt(1, 65_536));
    const parts = inParts ? [randomBytes(partBytes), small] : [small];
    return this.#attempt(nth, id, inParts ? "parts" : "put", tracked, hashOf(...parts), (answered) =>
      inParts
        ? putInParts(store, bucket, tracked.key, noting(parts, answered), { timeoutMs })
        : putObject(store, bucket, tracked.key, small, { timeoutMs }),
    );
  }

  async #delete(nth: number, id: number, tracked: Tracked): Promise<boolean> {
    const { store, bucket, requestMs: timeoutMs } = this.settings;
    return this.#attempt(nth, id, "delete", tracked, null, () =>
      deleteObject(store, bucket, tracked.key, { timeoutMs }),
    );
  }

  async #attempt(
    nth: number,
    id: number,
    kind: ObjectRequest["kind"],
    tracked: Tracked,
    state: State,
    work: (answered: number[]) => Promise<void>,
  ): Promise<boolean> {
    tracked.states.push(state);
    const isDone = await this.#timed(nth, kind, work);
    if (!isDone) return false;
    tracked.sure = tracked.states.length - 1;
    // A deletion needs no room: a store that takes nothing any more may still do it.
    if (state !== null) {
      this.promise(id);
      this.#free.push(tracked);
    }
    return true;
  }

  async #timed(
    client: number,
    kind: ObjectRequest["kind"],
    work: (answered: number[]) => Promise<void>,
  ): Promise<boolean> {
    const at = now();
    const answered: number[] = [];
    const error = await work(answered).then(
      () => null,
      (error: unknown) => toChimeError(error).message,
    );
    const several = answered.length > 0 ? { answered } : {};
    this.requests.push({ client, kind, at, ms: now() - at, error, ...several });
    return error === null;
  }

  async #read(nth: number): Promise<boolean> {
    const tracked = this.#free[randomInt(Math.max(1, this.#free.length))];
    if (!tracked) return false;
    return this.#timed(nth, "get", async () => {
      const fault = await this.#look(this.settings.store, tracked, false);
      if (fault) this.misread.push(fault);
    });
  }

  /** What one object is now, against what it may be since the moment this was asked. @throws ChimeError `minio.*` */
  async #look(store: Store, tracked: Tracked, own: boolean): Promise<ObjectFault | undefined> {
    const { sure } = tracked;
    const found = await this.#stateOn(store, tracked, own);
    if (tracked.states.includes(found, sure)) return undefined;
    const { key, states } = tracked;
    const before = states[sure] === null ? "undeleted" : "old";
    const known = states.includes(found) ? before : "changed";
    return { key, problem: found === null ? "lost" : known, unanswered: states.length > sure + 1 };
  }

  /** @throws ChimeError `minio.*` */
  async #stateOn(store: Store, { key }: Tracked, own: boolean): Promise<State> {
    const { bucket, requestMs: timeoutMs } = this.settings;
    const limits = { timeoutMs, own, maxBytes: 2 * partBytes };
    return getObject(store, bucket, key, limits).then(hashOf, absent);
  }

  #track(key: string): Tracked {
    const tracked = { key, states: [null], sure: 0 };
    this.#all.push(tracked);
    return tracked;
  }

  /** One that nobody else changes; one whose change went unanswered never comes back: a late one might overtake the next. */
  #take(): Tracked | undefined {
    return this.#free.splice(randomInt(Math.max(1, this.#free.length)), 1)[0];
  }

  /**
   * Reads every object back from one store, by itself, and compares it with what was acknowledged.
   * @throws ChimeError `minio.*` where one cannot be read
   */
  async faultsOn(store: Store): Promise<ObjectFault[]> {
    const faults: ObjectFault[] = [];
    await inTurns(this.#all, readers, async (tracked) => {
      const fault = await this.#look(store, tracked, true);
      if (fault) faults.push(fault);
    });
    return faults;
  }

  /**
   * What one store has of each object whose last change went unanswered, by name: either is right, and wherever it is asked for
   * it has to be the same.
   * @throws ChimeError `minio.*` where one cannot be read
   */
  async unansweredOn(store: Store): Promise<Map<string, State>> {
    const found = new Map<string, State>();
    const unanswered = this.#all.filter(({ states, sure }) => states.length > sure + 1);
    await inTurns(unanswered, readers, async (tracked) => {
      found.set(tracked.key, await this.#stateOn(store, tracked, true));
    });
    return found;
  }
}

/** Each is asked for when the request before it was answered. */
function* noting(parts: readonly Uint8Array[], answered: number[]): Generator<Uint8Array> {
  for (const part of parts) {
    answered.push(now());
    yield part;
  }
  answered.push(now());
}

function hashOf(...pieces: Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

function absent(error: unknown): null {
  if (error instanceof ChimeError && error.code === "minio.no_object") return null;
  throw error;
}
