import type { Clock } from "../core/clock.ts";
import { formatDuration } from "./duration.ts";

export interface Sink {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/** Says what is being done or awaited right now. */
export interface Progress {
  /** A new line, or the same again: only a new one starts the clock of its elapsed time. */
  readonly line: (text: string) => void;
  /** Takes the live line off the screen, so that something else can be written. */
  readonly clear: () => void;
  /** Ends the display. */
  readonly stop: () => void;
}

/** Redraw on a terminal, and repetition without one (a CI log shows that the wait goes on). Milliseconds. */
const redrawMs = 1000;
const repeatMs = 10_000;
/** Below this the elapsed time would only flicker. */
const worthTellingMs = 2000;

/**
 * On a terminal one live line, redrawn with the elapsed time; elsewhere a line at the start of each wait,
 * and the same again every ten seconds.
 */
export function createProgress(sink: Sink, clock: Pick<Clock, "now">): Progress {
  const live = sink.isTTY === true;
  let current: string | undefined;
  let since = 0;
  let shown = false;
  let timer: Timer | undefined;

  function draw() {
    if (current === undefined) return;
    const elapsed = clock.now() - since;
    const text = elapsed < worthTellingMs ? `${current}…` : `${current}… ${formatDuration(elapsed)}`;
    if (!live) {
      sink.write(`${text}\n`);
      return;
    }
    // Carriage return, then erase to the end of the line; one that wraps could not be erased. A terminal that was
    // never told its size (a serial console) has 0 columns.
    sink.write(`\r\u001B[K${fit(text, (sink.columns || 80) - 1)}`);
    shown = true;
  }

  function clear() {
    if (!shown) return;
    sink.write("\r\u001B[K");
    shown = false;
  }

  return {
    line(text) {
      if (text === current) return;
      current = text;
      since = clock.now();
      clearInterval(timer);
      timer = setInterval(draw, live ? redrawMs : repeatMs);
      timer.unref();
      draw();
    },
    clear,
    stop() {
      clearInterval(timer);
      current = undefined;
      clear();
    },
  };
}

function fit(text: string, width: number): string {
  return Bun.stringWidth(text) <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
