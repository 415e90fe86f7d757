import { runCommand, type ArgsDef, type CommandDef } from "citty";
import { usageError, type ChimeError, type ExitCode } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { allArgs, commonArgs, flagName, hintOf, type Args, type Values } from "./args.ts";
import { unknownFlag } from "./parse.ts";
import type { Output } from "./output.ts";

/** What a verb's `run` gets. */
export interface RunContext<A extends Args> {
  args: Values<A>;
  /** Aborted by Ctrl-C and SIGTERM; `run` lets go and rejects, or ends by itself. */
  signal: AbortSignal;
  out: Output;
}

interface VerbDefinition<A extends Args> {
  name: string;
  summary: string;
  /** One real call, printed by --help. */
  example: string;
  args: A;
  /** Nothing returned is exit 0; every failure is thrown as a ChimeError. */
  run(context: RunContext<A>): Promise<ExitCode | void>;
}

/** A verb with its argument types erased, as the dispatcher sees it. */
export interface Verb extends Omit<VerbDefinition<Args>, "run"> {
  kind: "verb";
  run(context: { args: Record<string, unknown>; signal: AbortSignal; out: Output }): Promise<ExitCode | void>;
}

/** Verbs under a word: `token create`, `token list`. */
export interface VerbGroup {
  kind: "group";
  name: string;
  summary: string;
  verbs: Readonly<Record<string, Verb>>;
}

/** Name → loader: a verb's module is read only when the verb is called. */
export type VerbTable = Readonly<Record<string, () => Promise<Verb | VerbGroup>>>;

/** Declares a verb as data. `run` gets its arguments typed; parsing is strict (parse.ts). */
export function defineVerb<const A extends Args>(definition: VerbDefinition<A>): Verb {
  return { kind: "verb", ...definition } as unknown as Verb;
}

export function defineGroup(name: string, summary: string, verbs: readonly Verb[]): VerbGroup {
  return { kind: "group", name, summary, verbs: Object.fromEntries(verbs.map((verb) => [verb.name, verb])) };
}

/** What citty hands a leaf to: the verb, its path as typed, and the words after it. */
export type Execute = (verb: Verb, path: string, rawArgs: readonly string[]) => Promise<void>;

/** The verb as a citty command, for its walk and for completion. Arguments look optional: parse.ts is the judge. */
function toCitty(node: Verb | VerbGroup, execute: Execute, path = node.name): CommandDef {
  const meta = { name: node.name, description: node.summary };
  if (node.kind === "group") {
    const subCommands: Record<string, CommandDef> = {};
    for (const verb of Object.values(node.verbs)) {
      subCommands[verb.name] = toCitty(verb, execute, `${path} ${verb.name}`);
    }
    return { meta, subCommands };
  }
  const args: ArgsDef = {};
  for (const [key, arg] of allArgs(node.args)) {
    if (arg.type === "rest") continue;
    if (arg.type === "positional") {
      args[key] = { type: "positional", description: arg.summary, required: false };
    } else {
      args[flagName(key, arg).slice(2)] =
        arg.type === "flag"
          ? { type: "boolean", description: arg.summary }
          : { type: "string", description: arg.summary, valueHint: hintOf(arg) };
    }
  }
  return { meta, args, run: ({ rawArgs }) => execute(node, path, rawArgs) };
}

/**
 * Finds the verb and runs it. citty walks to it; what citty lets pass or answers with exit 1 is settled here.
 * @throws ChimeError `usage.no_verb`, `usage.unknown_verb`, `usage.unknown_flag`, and whatever the verb throws
 */
export async function dispatch(table: VerbTable, argv: readonly string[], execute: Execute): Promise<void> {
  const [name, ...rest] = verbFirst(argv);
  if (name === undefined) throw usageError("usage.no_verb", "no verb given", "see chime-node --help");
  const load = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!load) throw unknownVerb(name, Object.keys(table), "");
  const node = await load();
  if (node.kind === "verb") {
    await runCommand(toCitty(node, execute), { rawArgs: rest });
    return;
  }
  const [sub, ...subRest] = verbFirst(rest, name);
  const names = Object.keys(node.verbs);
  if (sub === undefined) {
    throw usageError(
      "usage.no_verb",
      `${name} needs one of ${names.join(", ")}`,
      `see chime-node ${name} --help`,
    );
  }
  if (!names.includes(sub)) throw unknownVerb(sub, names, name);
  await runCommand(toCitty(node, execute), { rawArgs: [sub, ...subRest] });
}

/** `--json status` → `status --json`. Only flags that every verb has may stand before the verb. */
function verbFirst(argv: readonly string[], path = ""): readonly string[] {
  const index = argv.findIndex((word) => !word.startsWith("-"));
  const before = index < 0 ? argv : argv.slice(0, index);
  const known = Object.entries(commonArgs).map(([key, arg]) => flagName(key, arg));
  for (const word of before) if (!known.includes(word)) throw unknownFlag(word, path, [...known, "--help"]);
  return index < 0 ? [] : [argv[index] as string, ...before, ...argv.slice(index + 1)];
}

/** @param path the group it was looked for in; empty at the top */
export function unknownVerb(name: string, known: readonly string[], path: string): ChimeError {
  const prefix = path && `${path} `;
  const meant = nearest(name, known);
  return usageError(
    "usage.unknown_verb",
    `chime-node has no verb "${prefix}${name}"`,
    meant ? `did you mean chime-node ${prefix}${meant}?` : `see chime-node ${prefix}--help`,
  );
}
