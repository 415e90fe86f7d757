import type { Problem } from "../../guard.ts";
import { ChimeError, failed, refused, toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { askGuard } from "../guard/ask.ts";
import type { MysqlGuard } from "../guard/guard.ts";
import { saveExtras } from "../guard/returning.ts";
import { endUnit } from "../guard/unit.ts";
import { productPath } from "../../../host/catalog.ts";
import type { SourceSettings } from "../engine/types.ts";
import { sourceAddress } from "../guard/source.ts";
import { users } from "../layout.ts";
import { fetchClone } from "./clone.ts";
import { fetchCopy, type Source } from "./fetch.ts";
import { copyPlaces } from "./places.ts";
import { Report, type RebuildProgress } from "./report.ts";
import { requireSpace, size } from "./space.ts";
import { dropCopy, isBetween, putInPlace, readStage } from "./swap.ts";
import { Turn } from "./turn.ts";

/** One answer may take as long as the backup program waits for its locks. */
const readMs = 30_000;
const sizeMs = 30_000;

/** The writer goes on alone within a second, once this node has said that it is out. */
const aloneMs = 10_000;

/** A rebuild that failed is tried again after this; one that did not help, not before an operator has looked. */
const retryMs = 30_000;
const helpsMs = 600_000;

/** A backup breaks off where a system table is altered meanwhile, as Debian does after each start of the server. */
const attempts = 3;

const again = { remedy: "chime-node status; then run this again" };

/** Replaces all data of this node by those of the one that serves: fetched beside them, then put in their place. */
export class Rebuild {
  readonly #guard: MysqlGuard;
  readonly #report: Report;
  #abort: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #replaces = false;
  #doneAt: number | undefined;
  /** How the last run ended, where it failed. */
  #failed = "";

  constructor(guard: MysqlGuard) {
    this.#guard = guard;
    this.#report = new Report(guard.deps.membership.self.name, guard.deps.clock);
  }

  /** What it is doing, after "waiting for"; null: nothing. */
  get text(): string | null {
    return this.#report.text;
  }

  /** From the moment that this node steps out to the moment that its server may start on the new data. */
  get replaces(): boolean {
    return this.#replaces;
  }

  get progress(): RebuildProgress {
    return this.#report.progress;
  }

  problems(): Problem[] {
    return this.#report.problems(this.#guard.ready());
  }

  /** At the agent's start: what a kill left between old and new data is finished, any other rest dropped. */
  async resume(): Promise<void> {
    const { data, product } = this.#guard.layout;
    const stage = await readStage(data);
    if (stage === undefined) return;
    if (!isBetween(stage)) {
      this.#running = dropCopy(data, product.user).catch(logRest);
      return;
    }
    log.warn(`mysql: the new data are being put in place where that was interrupted (${stage})`);
    const why = { source: "the node that served then", because: "which had been interrupted" };
    this.#run(why, (_signal, timed) => timed("exchange", () => this.#exchange()));
  }

  async stop(): Promise<void> {
    this.#abort?.abort(new Error("the agent stops"));
    await this.#running;
  }

  /** An operator's word. @throws ChimeError `rebuild.*` (exit 3, nothing touched) */
  async command(): Promise<RebuildProgress> {
    if (this.text === null) await this.#begin(this.#requireSource(), "as an operator asked for");
    return this.progress;
  }

  /**
   * The guard found that nothing else helps.
   * @param because for the history, as a clause
   * @throws ChimeError `rebuild.*`
   */
  async begin(source: string, because: string): Promise<void> {
    if (this.text !== null) return;
    const { unit } = this.#guard.layout.product;
    const failure = this.#report.failedWithin(retryMs);
    if (failure) throw failed(failure.code, failure.message, { remedy: failure.remedy ?? undefined });
    if (this.#doneAt !== undefined && this.#guard.deps.clock.now() - this.#doneAt < helpsMs) {
      throw failed("rebuild.useless", `${source}'s binary logs do not go on where a copy of it ended`, {
        remedy: `journalctl -u ${unit} on ${source}; if it goes on, restart ${unit} there: its replication may hang`,
      });
    }
    await this.#begin(source, because).catch((error: unknown) => {
      this.#report.fail(error);
      throw error;
    });
  }

  async #begin(source: string, because: string): Promise<void> {
    this.#report.say(`${source} to count its data`);
    try {
      await this.#running;
      await this.#fetch(source, because);
    } catch (error) {
      this.#report.say(null);
      throw error;
    }
  }

  /** Whatever forbids it is found before anything is touched. */
  async #fetch(source: string, because: string): Promise<void> {
    const { layout, engine } = this.#guard;
    const { bytes, settings } = await askGuard(this.#guard, source, "copy-size", {}, sizeMs);
    await requireSpace(layout.data, bytes + engine.copy.aside, source);
    // Rows that only this node has go with its old data.
    await saveExtras(this.#guard, source);
    log.warn(`mysql: all data are replaced by a copy of ${source} (${size(bytes)})`);
    this.#run({ source, because }, async (signal, timed) => {
      const copy = () => this.#copy(source, { bytes, settings }, signal);
      await timed("copy", () => this.#persist(source, copy));
      await timed("step-out", () => this.#stepOut(source, signal));
      await timed("exchange", () => this.#exchange());
    });
  }

  #copy(
    source: string,
    { bytes, settings }: { bytes: number; settings: SourceSettings },
    signal: AbortSignal,
  ): Promise<unknown> {
    const { layout, engine } = this.#guard;
    const { copy } = engine;
    const reporting = {
      signal,
      progress: (done: number) => this.#report.copied(source, done, bytes),
      complete: () => this.#report.say(`the copy of ${source} to be prepared`),
    };
    if (copy.by === "stream") {
      return fetchCopy({ ...reporting, source: this.#source(source), copy, places: copyPlaces(layout) });
    }
    return fetchClone({
      ...reporting,
      copy,
      source: { name: source, address: sourceAddress(this.#guard, source, users.clone), settings, bytes },
      server: productPath(layout.product, "binary"),
      data: layout.data,
      user: layout.product.user,
      requireSource: () => {
        if (this.#isServing(source)) return;
        throw failed("mysql.copy_failed", `${source} stopped being the writer while it was copied`);
      },
    });
  }

  /** Begins anew where a program broke off. */
  async #persist(source: string, copy: () => Promise<unknown>): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return void (await copy());
      } catch (error) {
        const isBroken = error instanceof ChimeError && error.code === "mysql.copy_failed";
        if (!isBroken || tries === attempts || !this.#isServing(source)) throw error;
        log.warn(`mysql: ${error.message}; the copy begins anew`);
        this.#report.begin();
      }
    }
  }

  #run(why: Why, work: Work): void {
    const { signal } = (this.#abort = new AbortController());
    this.#report.begin();
    this.#report.say("a copy of the writer's data");
    this.#running = this.#whole(why, work, signal).catch(logRest);
  }

  async #whole({ source, because }: Why, work: Work, signal: AbortSignal): Promise<void> {
    const { deps } = this.#guard;
    const { name: self } = deps.membership.self;
    const turn = new Turn(deps.clock);
    const tell = (message: string) => deps.record({ kind: "rebuild", message, ...turn.told() });
    try {
      await work(signal, (step, part) => turn.timed(step, part));
      this.#doneAt = deps.clock.now();
      this.#failed = "";
      tell(`${self} has the data of ${source}: ${because}`);
    } catch (error) {
      if (signal.aborted) return;
      this.#report.fail(error);
      const { message } = toChimeError(error);
      // One that is tried again and again with the same end is one turn.
      if (message !== this.#failed) tell(`${self} was not rebuilt from ${source}: ${message}`);
      this.#failed = message;
      await this.#tidy(signal);
    } finally {
      this.#report.say(null);
      this.#replaces = false;
      this.#guard.wake();
    }
  }

  /** After a failure: back to the old data, or, where they are going already, on to the new ones until it works. */
  async #tidy(signal: AbortSignal): Promise<void> {
    const { deps, layout } = this.#guard;
    const { data, product } = layout;
    while (isBetween(await readStage(data))) {
      await deps.clock.sleep(retryMs, signal);
      await putInPlace(data, product.user).catch((error: unknown) => this.#report.fail(error));
    }
    this.#replaces = false;
    this.#guard.wake();
    await dropCopy(data, product.user);
  }

  /**
   * Only a node that nobody counts on gives up its data: it says that it is out, and the writer records that it goes on
   * alone. Until then the server runs and acknowledges, so that no commit waits, and nothing is lost if it fails.
   */
  async #stepOut(source: string, signal: AbortSignal): Promise<void> {
    const { deps } = this.#guard;
    const { name: self } = deps.membership.self;
    this.#report.say(`${source} to go on alone`);
    this.#replaces = true;
    this.#guard.wake();
    const end = deps.clock.now() + aloneMs;
    for (;;) {
      signal.throwIfAborted();
      const { term } = deps.voter.memory;
      if (term?.writer !== source) {
        throw failed("rebuild.other_writer", `${term?.writer ?? "nobody"} writes now, not ${source}`, again);
      }
      if (!this.#isServing(source)) {
        throw failed("rebuild.no_source", `${source} does not serve any more`, again);
      }
      if (!term.in_sync.includes(self)) return;
      if (deps.clock.now() > end) {
        throw failed("rebuild.needed", `${source} does not go on without ${self}, so its data stay`, again);
      }
      await deps.clock.sleep(20);
    }
  }

  /** From here on there is no way back but forward. */
  async #exchange(): Promise<void> {
    const { deps, layout } = this.#guard;
    this.#report.say("the new data to be put in place");
    this.#replaces = true;
    this.#guard.wake();
    await endUnit(layout.product.unit, deps.clock);
    await putInPlace(layout.data, layout.product.user);
    log.info("mysql: the new data are in place");
  }

  /** @throws ChimeError `rebuild.writer`, `rebuild.no_source` (exit 3) */
  #requireSource(): string {
    const { view, memory, deps } = this.#guard;
    const { name: self } = deps.membership.self;
    const { term } = memory;
    const isWritable = view && !("down" in view.server) && !view.server.readOnly;
    if (term?.writer === self || isWritable) {
      throw refused("rebuild.writer", `${self} is the writer: its data are the ones that count`, {
        remedy: "chime-node switchover, if the other node is the one to keep; then run this again",
      });
    }
    if (term && this.#isServing(term.writer)) return term.writer;
    const wanted = term?.writer ?? "the other node";
    throw refused("rebuild.no_source", `${wanted} does not serve: there is no source`, {
      remedy: `bring ${wanted} up first, then run this again`,
    });
  }

  #isServing(name: string): boolean {
    const peer = this.#guard.view?.peers.find((one) => one.name === name);
    return peer?.state === "alive" && peer.said?.state === "writer";
  }

  #source(name: string): Source {
    const guard = this.#guard;
    return {
      name,
      open: () => askGuard(guard, name, "copy-open", {}, readMs),
      async read(id, offset) {
        const { data, ...rest } = await askGuard(guard, name, "copy-read", { id, offset }, readMs);
        return { data: Buffer.from(data, "base64"), ...rest };
      },
      async close(id) {
        await askGuard(guard, name, "copy-close", { id });
      },
    };
  }
}

/** Whose data, and for which reason: a clause. */
interface Why {
  source: string;
  because: string;
}

type Timed = (step: string, part: () => Promise<void>) => Promise<void>;
type Work = (signal: AbortSignal, timed: Timed) => Promise<void>;

function logRest(error: unknown): void {
  log.error("mysql: rest of a copy:", error);
}
