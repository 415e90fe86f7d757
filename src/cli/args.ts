/** How a verb declares its flags and positionals. The key is camelCase, the flag kebab-case: `tokenFile` is `--token-file`. */
export type Arg =
  /** On or off. `default: true` makes it `--no-NAME`. */
  | { type: "flag"; summary: string; default?: boolean }
  /** `short`: one letter that stands for it, too. */
  | { type: "string"; hint: string; summary: string; required?: boolean; short?: string }
  /** Given any number of times, each value as it is. */
  | { type: "list"; hint: string; summary: string }
  /** Comma-separated, and may be repeated; no empty and no double word. */
  | { type: "words"; hint: string; summary: string; required?: boolean; options?: readonly string[] }
  | { type: "choice"; options: readonly string[]; summary: string }
  /** `30s`, `10m`, `24h`, `7d`; the value is in milliseconds. */
  | { type: "duration"; summary: string; default?: string }
  /** A whole number ≥ 1. */
  | { type: "count"; hint: string; summary: string }
  /** Everything after `--`, as it is. Not shown in help. */
  | { type: "rest"; summary: string }
  | { type: "positional"; hint: string; summary: string; required: boolean; options?: readonly string[] };

export type Args = Readonly<Record<string, Arg>>;

type Value<A extends Arg> = A["type"] extends "flag"
  ? boolean
  : A["type"] extends "list" | "words" | "rest"
    ? A extends { options: readonly (infer O)[] }
      ? readonly O[]
      : readonly string[]
    : A extends { type: "choice"; options: readonly (infer O)[] }
      ? O | undefined
      : A["type"] extends "duration"
        ? A extends { default: string }
          ? number
          : number | undefined
        : A["type"] extends "count"
          ? number | undefined
          : A extends { required: infer R; options: readonly (infer O)[] }
            ? R extends true
              ? O
              : O | undefined
            : A extends { required: true }
              ? string
              : string | undefined;

/** What `run` gets: one typed value a declared argument. */
export type Values<A extends Args> = { readonly [K in keyof A]: Value<A[K]> };

/** Every verb takes these. */
export const commonArgs = {
  json: { type: "flag", summary: "print one JSON document on stdout" },
  yes: { type: "flag", summary: "answer every question with yes" },
  verbose: { type: "flag", summary: "log each step and show traces of errors" },
} as const satisfies Args;

/** The declared arguments and the common ones, the flags last. */
export function allArgs(args: Args): [key: string, arg: Arg][] {
  const entries: [string, Arg][] = Object.entries({ ...args, ...commonArgs });
  const isFlag = ([, arg]: [string, Arg]) => arg.type !== "positional" && arg.type !== "rest";
  return [...entries.filter((entry) => !isFlag(entry)), ...entries.filter(isFlag)];
}

/** `tokenFile` → `--token-file`; a flag that is on by default → `--no-wait`. */
export function flagName(key: string, arg: Arg): string {
  const kebab = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return arg.type === "flag" && arg.default === true ? `--no-${kebab}` : `--${kebab}`;
}

/** What stands for the value in help and errors; empty for a flag without one. */
export function hintOf(arg: Arg): string {
  if (arg.type === "flag" || arg.type === "rest") return "";
  if (arg.type === "choice") return arg.options.join("|");
  if (arg.type === "duration") return arg.default ?? "10m";
  return arg.type === "positional" && arg.options ? arg.options.join("|") : arg.hint;
}
