import * as v from "valibot";
import type { Clock } from "../../../core/clock.ts";
import { ChimeError, failed } from "../../../core/errors.ts";
import { paths } from "../../../core/paths.ts";
import type { Limits } from "../../http.ts";
import type { Server } from "../client.ts";
import {
  Deletions,
  deletionsSchema,
  mostPredicate,
  rangeOf,
  type Deletion,
  type Withheld,
} from "../gap/deleted.ts";
import { findsNobody } from "./exclusion.ts";
import { againMs, OneServer, type OtherServer, type Stage } from "./one-server.ts";
import type { Refused } from "./refused.ts";

/** This node, and its server. */
export interface Own {
  name: string;
  server: Server;
}

/**
 * The other node: told what this one knows it ends a filling, begins what it has not done, and answers with what it knows
 * then.
 */
export interface OtherNode extends OtherServer {
  ask(all: readonly Deletion[]): Promise<unknown>;
  /** Whether something is being deleted on its server. */
  isDeleting(): Promise<boolean>;
}

/** What is to be done beside a deletion. */
interface Beside {
  /** Ends a filling that is under way here: what it has read would be given to a server that has just deleted it. */
  halt(): Promise<void>;
  /** Points that were written since it was asked for may be gone here with it: that time of its bucket is to be compared. */
  late(where: { from: number; to: number; bucket: string }): Promise<void>;
}

/** Who waits for a deletion. */
export interface Waiting {
  /** It is on the disk: what becomes of this agent or of who waits, it will be done. */
  begun: (id: string) => void;
  /** The node whose server it is waited for. */
  awaits: (node: string) => void;
}

/** What `influxdb delete` asks for, as it comes from the command line. */
const wantedSchema = v.object({
  bucket: v.string(),
  start: v.pipe(v.string(), v.isoTimestamp()),
  stop: v.pipe(v.string(), v.isoTimestamp()),
  predicate: v.pipe(v.string(), v.maxLength(mostPredicate)),
});

/** Where a deletion was done, and where it is still to be done. */
export interface DeletionResult {
  id: string;
  done: string[];
  pending: string[];
}

/** One that is done so long after it was asked for may delete what was written since, ms. */
const lateMs = 60_000;
/** Who only asks hears so soon whether it is done already; it goes on. */
const answerMs = 1_000;
/** What wants to fill waits for so long, ms. */
const patienceMs = 10_000;

/** Sees to it that what was deleted on one of the servers is deleted on both, and before anything is filled. */
export class Deleting {
  readonly #clock: Clock;
  readonly #beside: Beside;
  readonly #path: string;
  readonly #oneServer: OneServer;
  #deletions: Promise<Deletions> | undefined;
  /** What is being deleted on this node's server. */
  #run: Promise<void> | undefined;
  /** What that last refused for good, the oldest first. */
  #refused: readonly Refused[] = [];

  constructor(clock: Clock, beside: Beside, path: string = paths.influxdbDeletions) {
    this.#clock = clock;
    this.#beside = beside;
    this.#path = path;
    this.#oneServer = new OneServer(clock);
  }

  /** Something is being deleted on this node's server, or about to be. */
  get isDeleting(): boolean {
    return this.#run !== undefined;
  }

  /** As the other node is told, so that one server deletes at a time. */
  get stage(): Stage {
    return this.#oneServer.stage;
  }

  /** What this node's server refuses for good, as far as this agent has asked it, the oldest first. */
  get refused(): readonly Refused[] {
    return this.#refused;
  }

  /**
   * The other node says what it knows. What is due here is begun; it may take an hour, and where the server does not answer
   * it stays to be done.
   */
  async told(params: unknown, own: Own, other: OtherNode, limits: Limits): Promise<readonly Deletion[]> {
    const deletions = await this.#load();
    await deletions.merge(v.parse(deletionsSchema, params), this.#clock.wall());
    if (deletions.awaitedOn(own.name).length > 0) await this.#beside.halt();
    const run = this.#begin(deletions, own, other, limits);
    await this.#within(answerMs, run).catch(() => undefined);
    return deletions.all;
  }

  /** What an agent that was restarted had begun, or a server refused that is well or another one by now. @throws ChimeError `influxdb.*` */
  async resume(own: Own, other: OtherNode | undefined, limits: Limits): Promise<void> {
    await this.#begin(await this.#load(), own, other, limits);
  }

  /**
   * Nothing may be filled before.
   * @returns what may not be filled then either
   * @throws ChimeError `influxdb.delete_pending`, `influxdb.*`
   */
  async settle(own: Own, other: OtherNode, limits: Limits): Promise<Withheld[]> {
    const deletions = await this.#load();
    const present = presentOf(own, other);
    const giveUp = this.#clock.now() + patienceMs;
    const isPending = (name: string) => deletions.awaitedOn(name).length > 0;
    await this.#tell(deletions, other);
    if (isPending(own.name)) {
      await this.#within(patienceMs, this.#begin(deletions, own, other, limits));
      await this.#tell(deletions, other);
    }
    if (!isPending(own.name)) {
      const isOver = () => !isPending(other.name) || this.#clock.now() > giveUp;
      await this.#untilDone(deletions, other, isOver, limits);
    }
    const [pending] = [own, other].flatMap(({ name }) => deletions.awaitedOn(name));
    if (!pending) return deletions.withheldBy(present);
    const { bucket, at, done } = pending;
    const where = present.toSorted().filter((name) => !done.includes(name));
    throw failed(
      "influxdb.delete_pending",
      `what was deleted of ${bucket} at ${at} is not deleted on ${where.join(" and ")} yet`,
      "wait; chime-node status says whether the servers are well",
    );
  }

  /**
   * Deletes on this node's server, and then on the other one's: now, or as soon as it can be.
   * @throws ChimeError `influxdb.refused` where the server does not understand what: then nothing was deleted;
   * `influxdb.delete_refused` where only the other one does not
   */
  async delete(
    params: unknown,
    own: Own,
    other: OtherNode | undefined,
    limits: Limits,
    waiting: Waiting,
  ): Promise<DeletionResult> {
    const deletions = await this.#load();
    const wanted = v.parse(wantedSchema, params);
    const present = presentOf(own, other);
    const { id } = await deletions.add({ ...wanted, by: own.name }, this.#clock.wall(), present);
    waiting.begun(id);
    // What is begun from now on asks first what was deleted.
    await this.#beside.halt();
    waiting.awaits(own.name);
    // Another one that is under way is waited for: its failure is its own.
    await this.#run?.catch(() => undefined);
    await this.#begin(deletions, own, other, limits).catch((error: unknown) => {
      throw stays(own.name, error);
    });
    const nodes = (which: "done" | "refused") => deletions.all.find((one) => one.id === id)?.[which] ?? [];
    if (other) {
      waiting.awaits(other.name);
      const isOver = () => [...nodes("done"), ...nodes("refused")].includes(other.name);
      // It may be away: it hears of it before it is filled.
      await this.#tell(deletions, other)
        .then(() => this.#untilDone(deletions, other, isOver, limits))
        .catch(() => undefined);
      if (nodes("refused").includes(other.name)) throw refusedBy(other.name, own.name);
    }
    const done = nodes("done");
    return { id, done, pending: other && !done.includes(other.name) ? [other.name] : [] };
  }

  /** As long as the other node's server is at work. @throws what asking it fails with */
  async #untilDone(
    deletions: Deletions,
    other: OtherNode,
    isDone: () => boolean,
    { signal }: Limits,
  ): Promise<void> {
    while (!isDone()) {
      const goesOn = await other.isDeleting();
      await this.#tell(deletions, other);
      if (!goesOn) return;
      if (!isDone()) await this.#clock.sleep(againMs, signal);
    }
  }

  /** Each takes over what the other one knows. */
  async #tell(deletions: Deletions, other: OtherNode): Promise<void> {
    const answer = await other.ask(deletions.all);
    await deletions.merge(v.parse(deletionsSchema, answer), this.#clock.wall());
  }

  /** Deletes on this node's server what is due there; what goes on already takes up what is due meanwhile. */
  #begin(deletions: Deletions, own: Own, other: OtherNode | undefined, limits: Limits): Promise<void> {
    this.#run ??= this.#apply(deletions, own, other, limits).finally(() => (this.#run = undefined));
    return this.#run;
  }

  /** @throws ChimeError `influxdb.*`; what is refused for good holds nothing up */
  async #apply(deletions: Deletions, own: Own, other: OtherNode | undefined, limits: Limits): Promise<void> {
    const present = presentOf(own, other);
    const refused: Refused[] = [];
    const next = () => {
      const due = deletions.dueOn(own.name, present);
      return due.find(({ id }) => !refused.some(({ deletion }) => deletion.id === id));
    };
    const doNext = async () => {
      // Before it is gone anywhere: what the other node's filling has read would be given to a server that has just deleted it.
      if (other && next()?.done.length === 0) await this.#tell(deletions, other).catch(unlessNobody);
      const deletion = next();
      const why = deletion && (await this.#applyOne(deletions, deletion, own, present, limits));
      if (why) refused.push({ deletion, why });
    };
    while (next()) await this.#oneServer.alone(own.name, other, doNext, limits.signal);
    const pending = deletions.pendingOn(own.name);
    this.#refused = refused.filter(({ deletion }) => pending.some(({ id }) => id === deletion.id));
  }

  /** @returns why it is refused for good here, where it is done on the other server @throws ChimeError `influxdb.*` */
  async #applyOne(
    deletions: Deletions,
    deletion: Deletion,
    own: Own,
    present: readonly string[],
    limits: Limits,
  ): Promise<ChimeError | undefined> {
    const now = this.#clock.wall();
    // Before it is done: killed in between, that time is compared all the same.
    if (now - Date.parse(deletion.at) > lateMs) {
      // A record has no times before 1970: from 0 on it is all of those, too.
      const { from, to } = rangeOf(deletion);
      await this.#beside.late({ from: Math.max(0, from), to: Math.max(1, to), bucket: deletion.bucket });
    }
    try {
      await deletions.applyOn(own.name, own.server, deletion, limits, now);
      return undefined;
    } catch (error) {
      if (!(error instanceof ChimeError && isForGood(error))) throw error;
      if (isFirst(deletion, own.name)) {
        await deletions.giveUp(deletion.id, present, now);
        throw error;
      }
      await deletions.refuse(deletion.id, own.name, now);
      return error;
    }
  }

  /** Waits for so long at most: the work goes on. @throws what it fails with until then */
  async #within(ms: number, work: Promise<void>): Promise<void> {
    const over = new AbortController();
    try {
      await Promise.race([work, this.#clock.sleep(ms, over.signal)]);
    } finally {
      over.abort();
    }
  }

  /** Without it nothing is filled: a file that is not understood is said, and not taken for an empty one. */
  async #load(): Promise<Deletions> {
    this.#deletions ??= Deletions.load(this.#path);
    try {
      return await this.#deletions;
    } catch (cause) {
      this.#deletions = undefined;
      throw failed("influxdb.deletions", `${this.#path} does not say what was deleted`, {
        remedy: `look at it, and move it away: what was deleted while a server was away may come back then`,
        cause,
      });
    }
  }
}

/** A node that is away asks before it fills; one that does not answer may be at it. */
function unlessNobody(error: unknown): void {
  if (!findsNobody(error)) throw error;
}

const presentOf = (own: Own, other: OtherServer | undefined): string[] => [
  own.name,
  ...(other ? [other.name] : []),
];

/** Codes of answers to a deletion that asking again does not change, as long as it is the same server. */
const forGood = new Set(["influxdb.refused", "influxdb.partial", "influxdb.too_large"]);

const isForGood = ({ code }: ChimeError): boolean => forGood.has(code);

/** No other server was asked before: nothing is deleted. */
function isFirst({ by, done }: Deletion, node: string): boolean {
  return by === node && done.length === 0;
}

function refusedBy(node: string, own: string): ChimeError {
  return failed(
    "influxdb.delete_refused",
    `deleted on ${own}, but the server of ${node} refuses to delete it`,
    {
      node,
      remedy: "chime-node status says in which words, and what helps",
    },
  );
}

/** It is written down all the same, but for what the server does not understand. */
function stays(node: string, error: unknown): unknown {
  if (!(error instanceof ChimeError)) return error;
  if (isForGood(error)) {
    return failed(error.code, `${error.message}: nothing is deleted`, {
      remedy: `--where takes equality of tags and of _measurement, joined by AND: _measurement="cpu" AND host="a"`,
      cause: error,
    });
  }
  return failed(error.code, `not deleted on ${node} yet: ${error.message}`, {
    remedy: `${error.remedy ?? "chime-node status"}; its agent tries again each minute, and then deletes on the other node`,
    cause: error,
  });
}
