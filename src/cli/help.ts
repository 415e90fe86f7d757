import { allArgs, flagName, hintOf, type Arg } from "./args.ts";
import type { Verb, VerbGroup, VerbTable } from "./command.ts";
import { table } from "./table.ts";

/** The first screen: every verb with its summary. Loads all verbs, which --help can afford. */
export async function overview(verbs: VerbTable): Promise<string> {
  const nodes = await Promise.all(Object.values(verbs).map((load) => load()));
  return [
    "chime-node makes bare Linux servers a highly available back end: one binary, one line a node.",
    "",
    "usage: chime-node VERB [FLAGS]",
    "",
    table(nodes.map((node) => [`  ${node.name}`, node.summary])),
    "",
    "chime-node VERB --help tells a verb's flags and shows an example.",
    "",
  ].join("\n");
}

/** A group's verbs, or a verb's flags and its example. */
export function describe(node: Verb | VerbGroup, path: string): string {
  if (node.kind === "group") {
    const rows = Object.values(node.verbs).map((verb) => [`  ${path} ${verb.name}`, verb.summary]);
    return [
      sentence(node.summary),
      "",
      `usage: chime-node ${path} VERB [FLAGS]`,
      "",
      table(rows),
      "",
      `chime-node ${path} VERB --help tells a verb's flags and shows an example.`,
      "",
    ].join("\n");
  }
  const args = allArgs(node.args).filter(([, arg]) => arg.type !== "rest");
  const words = args.flatMap(([key, arg]) => usage(key, arg));
  return [
    sentence(node.summary),
    "",
    `usage: ${["chime-node", path, ...words, "[FLAGS]"].join(" ")}`,
    "",
    table(args.map(([key, arg]) => [`  ${label(key, arg)}`, about(arg)])),
    "",
    `example: ${node.example}`,
    "",
  ].join("\n");
}

/** What stands in the usage line: positionals, and flags that must be given. */
function usage(key: string, arg: Arg): string[] {
  if (arg.type === "positional") return [arg.required ? hintOf(arg) : `[${hintOf(arg)}]`];
  return "required" in arg && arg.required ? [`${flagName(key, arg)} ${hintOf(arg)}`] : [];
}

function label(key: string, arg: Arg): string {
  if (arg.type === "positional") return hintOf(arg);
  const short = arg.type === "string" && arg.short ? `-${arg.short}, ` : "";
  return arg.type === "flag" ? flagName(key, arg) : `${short}${flagName(key, arg)} ${hintOf(arg)}`;
}

function about(arg: Arg): string {
  if (arg.type === "list" || arg.type === "words") return `${arg.summary} (may be repeated)`;
  if (arg.type === "duration" && arg.default) return `${arg.summary} (default ${arg.default})`;
  return arg.summary;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
