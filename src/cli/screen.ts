import type { Sink } from "./progress.ts";

/** Pictures in place of each other on a terminal of their own: what stood there before is there again afterwards. */
export interface Screen {
  readonly draw: (picture: string) => void;
  /** Gives the terminal back. */
  readonly close: () => void;
}

/** xterm's alternate screen and DECTCEM (the cursor); every terminal since the VT220 knows or ignores them. */
const enter = "\u001B[?1049h\u001B[?25l";
const leave = "\u001B[?25h\u001B[?1049l";
const home = "\u001B[H";
const eraseRestOfLine = "\u001B[K";
const eraseBelow = "\u001B[J";

/** Draws over what is there, line by line, and only what has changed: nothing flickers. Long lines are wrapped. */
export function createScreen(sink: Sink): Screen {
  let shown: string | undefined;
  return {
    draw(picture) {
      // A terminal that was never told its size (a serial console) has neither.
      const [columns, rows] = [sink.columns || 80, sink.rows || 24];
      const lines = Bun.wrapAnsi(picture.trimEnd(), columns, { hard: true, trim: false }).split("\n");
      const missing = lines.length - rows + 1;
      const fitting = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${missing} more lines`];
      const text = fitting.map((line) => line + eraseRestOfLine).join("\n") + eraseBelow;
      if (text === shown) return;
      sink.write((shown === undefined ? enter : "") + home + text);
      shown = text;
    },
    close() {
      if (shown !== undefined) sink.write(leave);
      shown = undefined;
    },
  };
}
