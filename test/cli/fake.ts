import { createOutput, type OutputOptions } from "../../src/cli/output.ts";
import type { Keyboard } from "../../src/cli/prompt.ts";

/** What a stream was told, and what a terminal that it might be looks like. */
export class FakeSink {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows: number;

  constructor(isTTY = false, columns = 80, rows = 24) {
    this.isTTY = isTTY;
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): boolean {
    this.text += text;
    return true;
  }

  lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

/** A keyboard on which a test types. */
class FakeKeyboard implements Keyboard {
  readonly isTTY: boolean;
  raw = false;
  everRaw = false;
  #data = new Set<(chunk: Buffer) => void>();
  #end = new Set<() => void>();

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  setRawMode(raw: boolean): void {
    this.raw = raw;
    this.everRaw ||= raw;
  }

  on(event: "data" | "end", listener: ((chunk: Buffer) => void) & (() => void)): void {
    if (event === "data") this.#data.add(listener);
    else this.#end.add(listener);
  }

  off(event: "data" | "end", listener: ((chunk: Buffer) => void) & (() => void)): void {
    if (event === "data") this.#data.delete(listener);
    else this.#end.delete(listener);
  }

  resume(): void {}
  pause(): void {}

  type(text: string): void {
    for (const listener of this.#data) listener(Buffer.from(text));
  }

  end(): void {
    for (const listener of this.#end) listener();
  }

  get listeners(): number {
    return this.#data.size + this.#end.size;
  }
}

/** An output on fake streams. */
export function fakeOutput(given: Partial<OutputOptions> & { tty?: boolean } = {}) {
  const tty = given.tty ?? false;
  const stdout = new FakeSink(tty);
  const stderr = new FakeSink(tty);
  const stdin = new FakeKeyboard(tty);
  const clock = { ms: 0, now: () => clock.ms };
  const abort = new AbortController();
  const out = createOutput({
    json: false,
    yes: false,
    verbose: false,
    stdin,
    stdout,
    stderr,
    env: { TERM: "xterm" },
    clock,
    signal: abort.signal,
    ...given,
  });
  return { out, stdout, stderr, stdin, clock, abort };
}

/** What a promise rejects with. */
export function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => Promise.reject(new Error("did not reject")),
    (error: unknown) => error,
  );
}
