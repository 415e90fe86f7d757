import { allArgs, flagName, type Arg } from "../args.ts";
import type { Verb, VerbTable } from "../command.ts";

interface Candidate {
  value: string;
  summary: string;
}

/**
 * What may stand in place of the last word. Nothing found means that a file name may.
 * @param words what was typed after the program's name, the last one unfinished and possibly empty
 */
export async function candidates(table: VerbTable, words: readonly string[]): Promise<Candidate[]> {
  const typed = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const verbs = typed.filter((word) => !word.startsWith("-"));
  const [name, sub] = verbs;
  if (name === undefined) {
    if (current.startsWith("-")) return matching(current, [help, version]);
    const nodes = await Promise.all(Object.values(table).map((load) => load()));
    return matching(current, nodes.map(toCandidate));
  }
  const node = Object.hasOwn(table, name) ? await table[name]?.() : undefined;
  if (!node) return [];
  if (node.kind === "verb") return ofVerb(node, typed.slice(typed.indexOf(name) + 1), current);
  const verb = sub === undefined ? undefined : node.verbs[sub];
  if (verb) return ofVerb(verb, typed.slice(typed.indexOf(verb.name) + 1), current);
  return sub === undefined ? matching(current, Object.values(node.verbs).map(toCandidate)) : [];
}

const isFlag = ([, arg]: [string, Arg]) => arg.type !== "positional" && arg.type !== "rest";

const repeatable = (arg: Arg) => arg.type === "list" || arg.type === "words";

const help: Candidate = { value: "--help", summary: "show flags and an example" };
const version: Candidate = { value: "--version", summary: "print the version of this binary" };

function toCandidate({ name, summary }: { name: string; summary: string }): Candidate {
  return { value: name, summary };
}

function ofVerb(verb: Verb, before: readonly string[], current: string): Candidate[] {
  const args = allArgs(verb.args);
  const flags = new Map(args.filter(isFlag).map(([k, a]) => [flagName(k, a), a]));
  // bash makes a word of the equals sign, the others leave `--flag=value` whole.
  const equals = current === "=" || before.at(-1) === "=";
  const flagBefore = flags.get(before.at(equals && current !== "=" ? -2 : -1) ?? "");
  if (flagBefore && flagBefore.type !== "flag") return values(flagBefore, current === "=" ? "" : current, "");
  const [flag, ...value] = current.split("=");
  if (value.length > 0) return values(flags.get(flag ?? ""), value.join("="), `${flag}=`);
  if (!current.startsWith("-")) {
    const open = args.find(([, arg]) => arg.type === "positional");
    return open && before.length === 0 ? values(open[1], current, "") : [];
  }
  const left = [...flags].filter(([name, arg]) => repeatable(arg) || !before.includes(name));
  return matching(current, [...left.map(([value, { summary }]) => ({ value, summary })), help]);
}

function values(arg: Arg | undefined, current: string, prefix: string): Candidate[] {
  if (arg?.type === "words") {
    // Only the word behind the last comma is unfinished.
    const done = current.slice(0, current.lastIndexOf(",") + 1);
    const left = (arg.options ?? []).filter((option) => !done.split(",").includes(option));
    return matching(
      `${prefix}${current}`,
      left.map((option) => ({ value: `${prefix}${done}${option}`, summary: "" })),
    );
  }
  const options = arg?.type === "choice" || arg?.type === "positional" ? (arg.options ?? []) : [];
  return matching(
    `${prefix}${current}`,
    options.map((option) => ({ value: `${prefix}${option}`, summary: "" })),
  );
}

function matching(current: string, all: readonly Candidate[]): Candidate[] {
  return all.filter(({ value }) => value.startsWith(current));
}
