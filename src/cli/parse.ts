import { usageError, type ChimeError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { allArgs, flagName, hintOf, type Arg } from "./args.ts";
import type { Verb } from "./command.ts";
import { parseDuration } from "./duration.ts";

interface Flag {
  key: string;
  name: string;
  arg: Arg;
}

/**
 * Strict parsing of what follows a verb: citty would take an unknown flag silently and make its value a positional,
 * so that a typo of a flag runs for real; and of a repeated flag it keeps the last only.
 * @param path the verb as typed, for errors: `token create`
 * @throws ChimeError `usage.unknown_flag`, `usage.missing_value`, `usage.unexpected_value`, `usage.repeated_flag`,
 * `usage.bad_value`, `usage.missing_argument`, `usage.unexpected_argument`; all exit 2
 */
export function parseArgs(
  path: string,
  { args, example }: Pick<Verb, "args" | "example">,
  argv: readonly string[],
): Record<string, unknown> {
  const declared = allArgs(args);
  const flags = new Map<string, Flag>();
  for (const [key, arg] of declared) {
    if (arg.type === "positional" || arg.type === "rest") continue;
    const flag = { key, name: flagName(key, arg), arg };
    flags.set(flag.name, flag);
    if (arg.type === "string" && arg.short) flags.set(`-${arg.short}`, flag);
  }
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  const takesRest = declared.some(([, arg]) => arg.type === "rest");
  let rest: string[] = [];

  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    if (word === "--") {
      if (takesRest) rest = argv.slice(i + 1);
      else positionals.push(...argv.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const flag = flags.get(name);
    if (!flag) throw unknownFlag(name, path, flags.keys());
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (flag.arg.type === "flag") {
      if (value !== undefined) {
        throw usageError("usage.unexpected_value", `${name} takes no value`, `write ${name} alone`);
      }
      value = "";
    } else {
      // `--name --yes` is a forgotten value; a value that begins with a dash can still be given as --name=-x.
      if (value === undefined && !argv[i + 1]?.startsWith("-")) value = argv[++i];
      if (!value) {
        throw usageError(
          "usage.missing_value",
          `${name} needs a value`,
          `write ${name}${separator(flag.arg)}${hintOf(flag.arg)}`,
        );
      }
    }
    const before = given.get(flag.key);
    if (before && flag.arg.type !== "list" && flag.arg.type !== "words" && flag.arg.type !== "flag") {
      throw usageError("usage.repeated_flag", `${name} is given twice`, `give ${name} once`);
    }
    given.set(flag.key, [...(before ?? []), value]);
  }

  const values: Record<string, unknown> = {};
  const missing: string[] = [];
  for (const [key, arg] of declared) {
    if (arg.type === "positional") {
      const value = positionals.shift();
      if (!value && arg.required) missing.push(hintOf(arg));
      values[key] = value ? positional(path, arg, value) : undefined;
    } else if (arg.type === "rest") {
      values[key] = rest;
    } else {
      const name = flagName(key, arg);
      const isRequired = "required" in arg && arg.required;
      if (isRequired && !given.has(key)) missing.push(`${name} ${hintOf(arg)}`);
      values[key] = convert({ key, name, arg }, given.get(key));
    }
  }
  if (missing.length > 0) {
    throw usageError(
      "usage.missing_argument",
      `${path} needs ${missing.join(" and ")}`,
      `write it like ${example}`,
    );
  }
  const [extra] = positionals;
  if (extra !== undefined) {
    throw usageError(
      "usage.unexpected_argument",
      `${path} does not take the argument "${extra}"`,
      `see chime-node ${path} --help`,
    );
  }
  return values;
}

/** The error for a flag that a verb does not have. */
export function unknownFlag(name: string, path: string, known: Iterable<string>): ChimeError {
  const all = [...known];
  const negation = name.replace(/^--/, "--no-");
  const meant = all.includes(negation) ? negation : nearest(name, all);
  return usageError(
    "usage.unknown_flag",
    path ? `${path} has no flag ${name}` : `unknown flag ${name}`,
    meant ? `did you mean ${meant}?` : `see chime-node ${path && `${path} `}--help`,
  );
}

function convert({ name, arg }: Flag, given: string[] | undefined): unknown {
  const [first] = given ?? [];
  switch (arg.type) {
    case "flag":
      return (given !== undefined) !== (arg.default ?? false);
    case "list":
      return given ?? [];
    case "words":
      return (given ?? [])
        .flatMap((value) => words(name, arg.hint, value))
        .filter(unique)
        .map((word) => {
          if (arg.options && !arg.options.includes(word)) throw notAmong(name, word, arg.options);
          return word;
        });
    case "choice":
      if (first !== undefined && !arg.options.includes(first)) throw notAmong(name, first, arg.options);
      return first;
    case "duration": {
      const text = first ?? arg.default;
      if (text === undefined) return undefined;
      const ms = parseDuration(text);
      if (ms === undefined) throw badValue(name, text, "a duration", "30s, 10m, 24h or 7d");
      return ms;
    }
    case "count": {
      if (first === undefined) return undefined;
      if (!/^[1-9]\d{0,8}$/.test(first)) throw badValue(name, first, "a whole number from 1", `${name} 3`);
      return Number(first);
    }
    default:
      return first;
  }
}

function positional(path: string, arg: Arg & { type: "positional" }, value: string): string {
  if (arg.options && !arg.options.includes(value)) throw notAmong(path, value, arg.options);
  return value;
}

function words(name: string, hint: string, value: string): string[] {
  const list = value.split(",").map((word) => word.trim());
  if (list.includes("")) throw badValue(name, value, "a comma-separated list", `${name} ${hint}`);
  return list;
}

const unique = (word: string, index: number, all: string[]): boolean => all.indexOf(word) === index;

const separator = (arg: Arg): string => (arg.type === "flag" ? "" : " ");

function badValue(name: string, value: string, what: string, example: string): ChimeError {
  return usageError("usage.bad_value", `${name}: "${value}" is not ${what}`, `write it like ${example}`);
}

function notAmong(name: string, value: string, options: readonly string[]): ChimeError {
  const meant = nearest(value, options);
  return usageError(
    "usage.bad_value",
    `${name}: "${value}" is not one of ${options.join(", ")}`,
    meant ? `did you mean ${meant}?` : `use ${options.join(" or ")}`,
  );
}
