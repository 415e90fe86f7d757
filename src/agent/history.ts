import { open } from "node:fs/promises";
import * as v from "valibot";
import { readText, writeAtomic } from "../cluster/files.ts";
import type { Clock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { mask } from "../core/mask.ts";
import { eventSchema, type HistoryEvent } from "./event.ts";
import type { Happening } from "../roles/happening.ts";

/** A cluster turns a few times a month; a week of hourly drills still fits. */
const kept = 500;

/**
 * What happened on this node, newest last: a line of JSON each in a file that survives restarts and never grows beyond
 * twice of what is kept. Writing it is nobody's condition: a full disk loses the record, not the promotion.
 */
export class History {
  readonly #path: string;
  readonly #node: string;
  readonly #clock: Pick<Clock, "wall">;
  #events: HistoryEvent[] = [];
  #lines = 0;
  /** The last line was cut off: it must not swallow the next one. */
  #torn = false;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, node: string, clock: Pick<Clock, "wall">) {
    this.#path = path;
    this.#node = node;
    this.#clock = clock;
  }

  /** What cannot be read of the file (a line cut off by a power cut) is left out. */
  static async load(path: string, node: string, clock: Pick<Clock, "wall">): Promise<History> {
    const history = new History(path, node, clock);
    const text = (await readText(path)) ?? "";
    const lines = text.split("\n").filter(Boolean);
    history.#lines = lines.length;
    history.#torn = lines.length > 0 && !text.endsWith("\n");
    history.#events = lines.flatMap(parseLine).slice(-kept);
    return history;
  }

  /** Newest last. */
  get events(): readonly HistoryEvent[] {
    return this.#events;
  }

  /** Tells it at once, and durably as soon as the disk allows. */
  record(happening: Happening): void {
    const { kind, message, role = null, seconds = null, steps = [] } = happening;
    const event: HistoryEvent = {
      at: new Date(this.#clock.wall()).toISOString(),
      node: this.#node,
      role,
      kind,
      message: mask(message).slice(0, 500),
      seconds,
      steps: steps.slice(0, 30),
    };
    log.info(`${kind}: ${event.message}`);
    this.#events = [...this.#events, event].slice(-kept);
    this.#writing = this.#writing
      .then(() => this.#write(event))
      .catch((error: Error) => log.warn(`history: ${this.#path} cannot be written: ${error.message}`));
  }

  /** Resolves when everything recorded so far is on disk. */
  flushed(): Promise<void> {
    return this.#writing;
  }

  async #write(event: HistoryEvent): Promise<void> {
    if (this.#lines >= 2 * kept) {
      await writeAtomic(this.#path, this.#events.map(toLine).join(""), 0o600);
      this.#lines = this.#events.length;
      this.#torn = false;
      return;
    }
    const file = await open(this.#path, "a", 0o600);
    try {
      await file.appendFile(`${this.#torn ? "\n" : ""}${toLine(event)}`);
      await file.datasync();
    } finally {
      await file.close();
    }
    this.#torn = false;
    this.#lines += 1;
  }
}

function toLine(event: HistoryEvent): string {
  return `${JSON.stringify(event)}\n`;
}

function parseLine(line: string): HistoryEvent[] {
  try {
    return [v.parse(eventSchema, JSON.parse(line))];
  } catch {
    return [];
  }
}
