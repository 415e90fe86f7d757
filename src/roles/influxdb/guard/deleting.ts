import * as v from "valibot";
import type { Clock } from "../../../core/clock.ts";
import { ChimeError, failed } from "../../../core/errors.ts";
import { paths } from "../../../core/paths.ts";
import type { Limits } from "../../http.ts";
import type { Server } from "../client.ts";
import { Deletions, deletionsSchema, type Deletion } from "../gap/deleted.ts";

/** This node, and its server. */
export interface Own {
  name: string;
  server: Server;
}

/** The other node: told what this one knows it does what it has not done, and answers with what it knows then. */
export interface OtherNode {
  name: string;
  ask(all: readonly Deletion[]): Promise<unknown>;
  /** Ends a filling that is under way there. */
  halt(): Promise<void>;
}

/** What is to be done beside a deletion. */
interface Beside {
  /** Ends a filling that is under way here: what it has read would be given to a server that has just deleted it. */
  halt(): Promise<void>;
  /** Points that were written since it was asked for may be gone here with it: that time is to be compared. */
  late(range: { from: number; to: number }): Promise<void>;
}

/** What `influxdb delete` asks for, as it comes from the command line. */
const wantedSchema = v.object({
  bucket: v.string(),
  start: v.pipe(v.string(), v.isoTimestamp()),
  stop: v.pipe(v.string(), v.isoTimestamp()),
  predicate: v.string(),
});

/** Where a deletion was done, and where it is still to be done. */
export interface DeletionResult {
  id: string;
  done: string[];
  pending: string[];
}

/** One that is done so long after it was asked for may delete what was written since, ms. */
const lateMs = 60_000;

/** Sees to it that what was deleted on one of the servers is deleted on both, and before anything is filled. */
export class Deleting {
  readonly #clock: Clock;
  readonly #beside: Beside;
  readonly #path: string;
  #deletions: Promise<Deletions> | undefined;

  constructor(clock: Clock, beside: Beside, path: string = paths.influxdbDeletions) {
    this.#clock = clock;
    this.#beside = beside;
    this.#path = path;
  }

  /** The other node says what it knows. Where this node's server does not answer it stays to be done. */
  async told(params: unknown, own: Own, limits: Limits): Promise<readonly Deletion[]> {
    const deletions = await this.#load();
    await deletions.merge(v.parse(deletionsSchema, params), this.#clock.wall());
    if (deletions.pendingOn(own.name).length > 0) await this.#beside.halt();
    await this.#apply(deletions, own, limits).catch(() => undefined);
    return deletions.all;
  }

  /** Nothing may be filled before. @throws ChimeError `influxdb.delete_pending`, `influxdb.*` */
  async settle(own: Own, other: OtherNode, limits: Limits): Promise<void> {
    const deletions = await this.#exchange(own, other, limits);
    const [pending] = deletions.pendingOn(other.name);
    if (!pending) return;
    throw failed(
      "influxdb.delete_pending",
      `what was deleted of ${pending.bucket} at ${pending.at} is not deleted on ${other.name} yet`,
      "chime-node status",
    );
  }

  /**
   * Deletes on this node's server, and on the other one's now or as soon as it can be.
   * @throws ChimeError `influxdb.refused` where the server does not understand what: then nothing was deleted
   */
  async delete(
    params: unknown,
    own: Own,
    other: OtherNode | undefined,
    limits: Limits,
  ): Promise<DeletionResult> {
    const deletions = await this.#load();
    const wanted = v.parse(wantedSchema, params);
    const present = [own, ...(other ? [other] : [])].map(({ name }) => name);
    const { id } = await deletions.add(wanted, this.#clock.wall(), present);
    // What is begun from now on asks first what was deleted.
    await Promise.all([this.#beside.halt(), other?.halt().catch(() => undefined)]);
    try {
      await this.#apply(deletions, own, limits);
    } catch (error) {
      if (error instanceof ChimeError && error.code === "influxdb.refused")
        await deletions.drop(id, this.#clock.wall());
      throw error;
    }
    // It may be away: it hears of it before it is filled.
    if (other) await this.#exchange(own, other, limits).catch(() => undefined);
    const done = deletions.all.find((one) => one.id === id)?.done ?? [];
    return { id, done, pending: other && !done.includes(other.name) ? [other.name] : [] };
  }

  async #exchange(own: Own, other: OtherNode, limits: Limits): Promise<Deletions> {
    const deletions = await this.#load();
    const now = this.#clock.wall();
    await deletions.merge(v.parse(deletionsSchema, await other.ask(deletions.all)), now);
    const applied = await this.#apply(deletions, own, limits);
    if (applied > 0) await other.ask(deletions.all);
    return deletions;
  }

  /** @returns how many were done @throws ChimeError `influxdb.*` */
  async #apply(deletions: Deletions, { name, server }: Own, limits: Limits): Promise<number> {
    const now = this.#clock.wall();
    const late = deletions.pendingOn(name).filter(({ at }) => now - Date.parse(at) > lateMs);
    // Before it is done: killed in between, that time is compared all the same.
    for (const { start, stop } of late) {
      await this.#beside.late({ from: Math.max(1, Date.parse(start)), to: Date.parse(stop) + 1 });
    }
    return deletions.applyOn(name, server, limits, now);
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
