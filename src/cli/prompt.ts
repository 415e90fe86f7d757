import { ChimeError, Exit, usageError } from "../core/errors.ts";

/** The operator's keyboard: `process.stdin`, or a fake one in tests. */
export interface Keyboard {
  isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  off(event: "end", listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

interface Terminal {
  keyboard: Keyboard;
  screen: { write(text: string): unknown };
  signal: AbortSignal;
}

/** A question that nobody can answer is wrong usage: the call must say `--yes` itself. */
export function needsYes(question: string): ChimeError {
  return usageError(
    "usage.needs_yes",
    `this needs a yes, and there is no terminal to ask on: ${question}`,
    "run the same command with --yes",
  );
}

/** Only `y` and `yes` are a yes. */
export async function askYesNo(question: string, terminal: Terminal): Promise<boolean> {
  terminal.screen.write(`${question} [y/N] `);
  return /^y(es)?$/i.test((await readLine(terminal, false)).trim());
}

export async function askLine(question: string, terminal: Terminal): Promise<string> {
  terminal.screen.write(`${question}: `);
  return (await readLine(terminal, false)).trim();
}

/** Reads a line without showing it. */
export async function askSecret(question: string, terminal: Terminal): Promise<string> {
  terminal.screen.write(`${question}: `);
  return (await readLine(terminal, true)).trim();
}

/** Longer than any token; what is pasted beyond it is not one. */
const longest = 16_384;

/**
 * One line from the keyboard. For a secret the terminal is put into raw mode, so that it echoes nothing; then the
 * keys it usually handles (backspace, Ctrl-C, Ctrl-D) are ours.
 */
function readLine({ keyboard, screen, signal }: Terminal, secret: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    /** @param entered the terminal itself has begun a new line */
    const finish = (settle: () => void, entered = false) => {
      keyboard.off("data", read);
      keyboard.off("end", end);
      signal.removeEventListener("abort", abort);
      if (secret) keyboard.setRawMode?.(false);
      if (secret || !entered) screen.write("\n");
      // Else a waiting stdin would keep the process alive.
      keyboard.pause();
      settle();
    };
    const end = () => finish(() => resolve(""));
    const abort = () => finish(() => reject(signal.reason as Error));
    const read = (chunk: Buffer) => {
      for (const key of chunk.toString("utf8")) {
        if (key === "\r" || key === "\n") return finish(() => resolve(text), true);
        if (secret && key === "\u0003") return finish(() => reject(interrupted()));
        if (secret && key === "\u0004") return end();
        if (secret && (key === "\u007F" || key === "\b")) text = text.slice(0, -1);
        else if (text.length < longest) text += key;
      }
    };
    if (signal.aborted) return reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    if (secret) keyboard.setRawMode?.(true);
    keyboard.on("data", read);
    keyboard.on("end", end);
    keyboard.resume();
  });
}

/**
 * What an interrupted verb rejects with.
 * @param remedy where it is not to be run again; every other verb can be: facts are re-read (law 1)
 */
export function interrupted(remedy = "run the same command again: it finishes what is left"): ChimeError {
  return new ChimeError(Exit.interrupted, "interrupted", "interrupted", { remedy });
}
