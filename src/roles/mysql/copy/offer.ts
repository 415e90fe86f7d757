import { randomBytes } from "node:crypto";
import { lastLines, type Piped } from "../../../core/exec.ts";
import { failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { mask } from "../../../core/mask.ts";
import type { Engine, SourceSettings, Streaming } from "../engine/types.ts";
import type { Session } from "../client.ts";
import type { Layout } from "../layout.ts";
import { copyPlaces } from "./places.ts";
import { endPrograms, pipeProgram } from "./program.ts";
import { dataBytes } from "./space.ts";

/**
 * Bytes in one answer. Small enough that a slow network brings the heartbeats behind it in time (0.1 s at 20 Mbit/s),
 * large enough that asking costs little.
 */
export const pieceBytes = 256 << 10;

/** Read ahead while the other node writes what it has. */
const aheadBytes = 4 * pieceBytes;

/** An answer without data says that the program is at work: it locks, or waits for the disk. */
const waitMs = 2_000;

/** The other node's disk may be slow, but one that asks no more is gone. */
const leaseMs = 60_000;

interface Deps {
  engine: Engine;
  layout: Layout;
  session: Session;
  /** Only a server that accepts writes has everything. */
  isWriter: () => boolean;
  self: string;
}

/** The serving node's half of a copy: runs the backup program and hands out what it writes, to one asker at a time. */
export class Offer {
  readonly #deps: Deps;
  #running: Running | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** How large a copy would be, and what its server has to agree in. @throws ChimeError `mysql.no_copy` */
  async size(): Promise<{ bytes: number; settings: SourceSettings }> {
    const { engine, layout, session } = this.#deps;
    this.#requireWriter();
    const { copy } = engine;
    const bytes = await dataBytes(layout.data, copy.skips);
    return { bytes, settings: copy.by === "clone" ? await copy.settings(session) : {} };
  }

  /**
   * Begins one. Whoever had begun one before has none any more: its agent was restarted, or there is another one.
   * @throws ChimeError `mysql.no_copy`, `mysql.copy_busy`
   */
  async open(from: string): Promise<{ id: string; contents: string }> {
    const copy = this.#streaming();
    const { engine, layout, session } = this.#deps;
    if (this.#running && this.#running.to !== from && !this.#running.isOver) {
      throw failed("mysql.copy_busy", `${this.#deps.self} is being copied to ${this.#running.to}`, {
        remedy: "wait until that is done",
      });
    }
    this.stop();
    await endPrograms("offer");
    // A log that cannot be read is the last one no more: the replica will go on behind it.
    await session.run(["FLUSH LOCAL BINARY LOGS"]);
    const contents = await engine.contents(session);
    const places = copyPlaces(layout);
    const child = pipeProgram({ half: "offer", user: places.user, argv: copy.backup(places) });
    this.#running = new Running(child, from);
    log.info(`mysql: giving ${from} a copy of all data`);
    return { id: this.#running.id, contents };
  }

  /**
   * The piece at `offset`: the next one; at the end, what every server's last transaction is now.
   * @throws ChimeError `mysql.copy_lost`, `mysql.copy_failed`
   */
  async read(
    id: string,
    offset: number,
    from: string,
  ): Promise<{ data: string; ended: boolean; contents: string | null }> {
    const { engine, session, isWriter, self } = this.#deps;
    const running = this.#running;
    if (running?.id !== id || running.to !== from || running.sent !== offset) {
      throw failed("mysql.copy_lost", `${self} does not know this copy any more`);
    }
    const piece = await running.next();
    if (!piece.ended) {
      return { data: piece.data.toString("base64"), ended: false, contents: null };
    }
    this.#running = undefined;
    const { code, stderr } = await running.child.ended;
    if (code !== 0) {
      throw failed("mysql.copy_failed", mask(`the copy of ${self} failed: ${lastLines(stderr)}`));
    }
    if (!isWriter())
      throw failed("mysql.copy_failed", `${self} stopped being the writer while it was copied`);
    log.info(`mysql: ${from} has a copy of all data (${running.sent} bytes)`);
    return { data: "", ended: true, contents: await engine.contents(session) };
  }

  /** Returns whether there was one. */
  close(id: string, from: string): boolean {
    const known = this.#running?.id === id && this.#running.to === from;
    if (known) this.stop();
    return known;
  }

  stop(): void {
    this.#running?.stop();
    this.#running = undefined;
  }

  #streaming(): Streaming {
    const { copy, name } = this.#deps.engine;
    this.#requireWriter();
    if (copy.by !== "stream") throw failed("mysql.no_copy", `a ${name} server gives copies by itself`);
    return copy;
  }

  #requireWriter(): void {
    const { isWriter, self } = this.#deps;
    if (!isWriter()) throw failed("mysql.no_copy", `${self} does not accept writes, so it gives no copy`);
  }
}

/** One backup program and what it wrote ahead. */
class Running {
  readonly id: string = randomBytes(8).toString("hex");
  readonly child: Piped;
  readonly to: string;
  sent = 0;
  #pieces: Uint8Array[] = [];
  #buffered = 0;
  #over = false;
  #stopped = false;
  #changed = Promise.withResolvers<void>();
  #lease: ReturnType<typeof setTimeout> | undefined;

  constructor(child: Piped, to: string) {
    this.child = child;
    this.to = to;
    this.#extend();
    void this.#pump();
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** The next piece, possibly empty; `ended` once there is nothing more. */
  async next(): Promise<{ data: Buffer; ended: boolean }> {
    this.#extend();
    const late = Bun.sleep(waitMs).then(() => "late" as const);
    while (!this.#over && this.#buffered < pieceBytes) {
      if ((await Promise.race([this.#change(), late])) === "late") break;
    }
    const data = this.#take();
    this.sent += data.length;
    return { data, ended: this.#over && data.length === 0 };
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#lease);
    this.child.kill();
    this.#wake();
  }

  #extend(): void {
    clearTimeout(this.#lease);
    if (this.#over) return;
    this.#lease = setTimeout(() => {
      log.warn(`mysql: ${this.to} asks for no more of its copy: given up`);
      this.stop();
    }, leaseMs);
    this.#lease.unref();
  }

  async #pump(): Promise<void> {
    for (;;) {
      const piece = await this.child.read().catch(() => undefined);
      if (piece === undefined) break;
      if (this.#stopped) continue;
      this.#pieces.push(piece);
      this.#buffered += piece.length;
      this.#wake();
      while (this.#buffered >= aheadBytes && !this.#stopped) await this.#change();
    }
    this.#over = true;
    clearTimeout(this.#lease);
    this.#wake();
  }

  #take(): Buffer {
    const all = Buffer.concat(this.#pieces);
    const data = all.subarray(0, pieceBytes);
    const rest = all.subarray(data.length);
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#buffered = rest.length;
    this.#wake();
    return data;
  }

  /** Resolves when something was read from the program, or taken from here. */
  #change(): Promise<void> {
    return this.#changed.promise;
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
