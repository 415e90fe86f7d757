import { systemClock } from "../core/clock.ts";
import { Exit, toChimeError, whyAborted, type ExitCode } from "../core/errors.ts";
import { tellUnits } from "../host/systemd.ts";
import type { commonArgs } from "./args.ts";
import { dispatch, unknownVerb, type Execute, type VerbTable } from "./command.ts";
import { verbs } from "./index.ts";
import { createOutput, type Output } from "./output.ts";
import { parseArgs } from "./parse.ts";
import { interrupted } from "./prompt.ts";

/** Runs one command line of this process. Never exits: what stands in a pipe's buffer would be cut at 64 KB. */
export async function main(argv: readonly string[], table: VerbTable = verbs): Promise<void> {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (!controller.signal.aborted) return controller.abort(interrupted());
    // Asked twice: the verb does not let go. Die of the signal itself, as an unprepared program would.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  // The reader went away (`| head`): nothing more to say, and no reason to fail. A verb whose results nobody reads any
  // more ends: it would watch for ever.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (stream === process.stdout) controller.abort(interrupted());
    });
  }
  try {
    process.exitCode = await run(argv, table, controller.signal, (given) =>
      createOutput({
        ...given,
        stdin: process.stdin,
        stdout: process.stdout,
        stderr: process.stderr,
        env: process.env,
        clock: systemClock,
        signal: controller.signal,
      }),
    );
  } finally {
    tellUnits();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

/** The pure part of `main`: no global state, so that tests can drive it. */
export async function run(
  argv: readonly string[],
  table: VerbTable,
  signal: AbortSignal,
  open: (given: { json: boolean; yes: boolean; verbose: boolean }) => Output,
): Promise<ExitCode> {
  // Looked up before parsing, so that an error of parsing is told in the form that was asked for.
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  const has = (name: keyof typeof commonArgs) => flags.includes(`--${name}`);
  const out = open({ json: has("json"), yes: has("yes"), verbose: has("verbose") });
  let code: ExitCode = Exit.done;
  const execute: Execute = async (verb, path, rawArgs) => {
    const args = parseArgs(path, verb, rawArgs);
    if (out.redraws || args["verbose"]) {
      const { setLogWriter, setVerbose } = await import("../core/log.ts");
      setLogWriter(out.note);
      if (args["verbose"]) setVerbose();
    }
    code = (await verb.run({ args, signal, out })) ?? Exit.done;
  };
  try {
    if (argv[0] === "help") await help(flags.slice(1), table, out);
    else if (flags.includes("--help") || flags.includes("-h")) await help(flags, table, out);
    else await dispatch(table, argv[0] === "--version" ? ["version", ...argv.slice(1)] : argv, execute);
    return code;
  } catch (error) {
    // Whatever an aborted verb trips over, the cause is the abort.
    const cause = signal.aborted ? whyAborted(error, signal) : error;
    out.error(cause);
    return toChimeError(cause).exit;
  } finally {
    out.close();
  }
}

async function help(flags: readonly string[], table: VerbTable, out: Output): Promise<void> {
  const { describe, overview } = await import("./help.ts");
  const [name, sub] = flags.filter((word) => !word.startsWith("-"));
  const load = name !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
  if (name !== undefined && !load) {
    throw unknownVerb(name, Object.keys(table), "");
  }
  let text: string;
  if (!load) text = await overview(table);
  else {
    const node = await load();
    const leaf = node.kind === "group" && sub ? node.verbs[sub] : undefined;
    text = leaf ? describe(leaf, `${node.name} ${leaf.name}`) : describe(node, node.name);
  }
  out.result({ help: text }, text);
}
