import type { Clock } from "../core/clock.ts";
import { errorJson, toChimeError } from "../core/errors.ts";
import { mask } from "../core/mask.ts";
import { createProgress, type Sink } from "./progress.ts";
import { createScreen } from "./screen.ts";
import { askLine, askSecret, askYesNo, needsYes, type Keyboard } from "./prompt.ts";
import { createStyle, wantsColour, type Style } from "./style.ts";
import { tame } from "./tame.ts";

/** Everything a verb says: results to stdout, all else to stderr. */
export interface Output {
  readonly json: boolean;
  /** For stdout; plain without a terminal or with NO_COLOR. */
  readonly style: Style;
  /** True where stdout can be redrawn. */
  readonly live: boolean;
  /** True where the progress line is redrawn on stderr. */
  readonly redraws: boolean;
  /** The verb's one result: the document with --json, else the text (a newline is added where it lacks one). */
  readonly result: (document: unknown, human: string) => void;
  /** A full picture in place of the last one (`status --watch`) where `live`, else a line below the last one. */
  readonly frame: (human: string) => void;
  /** A line for people, on stderr. */
  readonly note: (line: string) => void;
  /** Once a command: a check that is made again finds the same. */
  readonly warn: (line: string) => void;
  /** What is done or awaited right now; see progress.ts. */
  readonly progress: (line: string) => void;
  /** True with --yes. @throws ChimeError `usage.needs_yes` where nobody can be asked */
  readonly confirm: (question: string) => Promise<boolean>;
  /** A line that is seen while it is typed, or undefined where nobody can be asked. */
  readonly ask: (question: string) => Promise<string | undefined>;
  /** A hidden line, or undefined where nobody can be asked. */
  readonly askSecret: (question: string) => Promise<string | undefined>;
  /** The failure: `{"error":…}` on stdout with --json (unless a result stands there already), else on stderr. */
  readonly error: (error: unknown) => void;
  /** Takes the progress line away; after this only results and errors are written. */
  readonly close: () => void;
}

export interface OutputOptions {
  json: boolean;
  yes: boolean;
  verbose: boolean;
  stdin: Keyboard;
  stdout: Sink;
  stderr: Sink;
  env: Record<string, string | undefined>;
  clock: Pick<Clock, "now">;
  signal: AbortSignal;
}

/** A config error locates itself and must begin its line (contract), so that editors and grep find the place. */
const located = /^[^\n]+?:\d+:\d+: /;

export function createOutput(options: OutputOptions): Output {
  const { json, stdout, stderr } = options;
  const progress = createProgress(stderr, options.clock);
  const style = createStyle(wantsColour(stdout, options.env));
  const errStyle = createStyle(wantsColour(stderr, options.env));
  const askable = options.stdin.isTTY === true && stderr.isTTY === true && !json;
  const live = stdout.isTTY === true && options.env["TERM"] !== "dumb" && !json;
  const screen = createScreen(stdout);
  let documents = 0;
  const warned = new Set<string>();

  const say = (line: string) => {
    screen.close();
    progress.clear();
    stderr.write(`${tame(mask(line))}\n`);
  };
  const print = (text: string) => {
    progress.clear();
    if (text) stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  };
  const prompted = <T>(prompt: (terminal: Parameters<typeof askYesNo>[1]) => Promise<T>) => {
    progress.stop();
    return prompt({ keyboard: options.stdin, screen: stderr, signal: options.signal });
  };

  return {
    json,
    style,
    live,
    redraws: stderr.isTTY === true,
    result(document, human) {
      if (json && documents++ > 0) throw new Error("a verb printed two JSON documents");
      print(json ? JSON.stringify(document, null, 2) : tame(human));
    },
    frame(human) {
      if (live) screen.draw(tame(human));
      else print(tame(human));
    },
    note: say,
    warn(line) {
      if (warned.has(line)) return;
      warned.add(line);
      say(`${errStyle.yellow("warning:")} ${line}`);
    },
    progress: (line) => progress.line(tame(mask(line))),
    async confirm(question) {
      if (options.yes) return true;
      if (!askable) throw needsYes(question);
      return prompted((terminal) => askYesNo(tame(question), terminal));
    },
    async ask(question) {
      return askable ? prompted((terminal) => askLine(tame(question), terminal)) : undefined;
    },
    async askSecret(question) {
      return askable ? prompted((terminal) => askSecret(tame(question), terminal)) : undefined;
    },
    error(error) {
      progress.stop();
      const e = toChimeError(error);
      if (json && documents++ === 0) {
        print(mask(JSON.stringify({ error: errorJson(e) }, null, 2)));
        return;
      }
      const place = e.node ? ` (on ${e.node})` : "";
      say(located.test(e.message) ? e.message : `${errStyle.red("error:")} ${e.message}${place}`);
      if (e.remedy) say(`  → ${e.remedy}`);
      if (options.verbose) {
        const cause = e.cause instanceof Error ? e.cause.stack : undefined;
        for (const trace of [e.stack, cause]) if (trace) say(errStyle.dim(trace));
      }
    },
    close() {
      screen.close();
      progress.stop();
    },
  };
}
