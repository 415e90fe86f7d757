import { describe, expect, test } from "bun:test";
import type { Args } from "../../src/cli/args.ts";
import { parseArgs } from "../../src/cli/parse.ts";
import { ChimeError } from "../../src/core/errors.ts";

const args = {
  vip: { type: "list", hint: "ROLE=IP[/P]", summary: "" },
  role: { type: "words", hint: "ROLE[,ROLE]", summary: "" },
  tokenFile: { type: "string", hint: "FILE", summary: "" },
  timeout: { type: "duration", summary: "", default: "10m" },
  ttl: { type: "duration", summary: "" },
  uses: { type: "count", hint: "N", summary: "" },
  engine: { type: "choice", options: ["percona", "mysql", "mariadb"], summary: "" },
  wait: { type: "flag", summary: "", default: true },
  watch: { type: "flag", summary: "" },
} as const satisfies Args;

const nothing = {
  vip: [],
  role: [],
  tokenFile: undefined,
  timeout: 600_000,
  ttl: undefined,
  uses: undefined,
  engine: undefined,
  wait: true,
  watch: false,
  json: false,
  yes: false,
  verbose: false,
};

const node = { node: { type: "positional", hint: "NODE", summary: "", required: true } } as const;
const shell = {
  shell: { type: "positional", hint: "SHELL", summary: "", required: false, options: ["bash", "zsh"] },
  words: { type: "rest", summary: "" },
} as const;

const example = "chime-node join --role mysql";
const parse = (path: string, args: Args, argv: readonly string[]) => parseArgs(path, { args, example }, argv);

test("a flag of one letter stands for its long one", () => {
  const output = { output: { type: "string", hint: "FILE", summary: "", short: "o" } } as const;
  expect(parse("pack", output, ["-o", "x"])).toMatchObject({ output: "x" });
  expect(parse("pack", output, ["-o=x"])).toMatchObject({ output: "x" });
  expect(() => parse("pack", output, ["-o", "x", "--output", "y"])).toThrow("--output is given twice");
  expect(() => parse("pack", output, ["-o"])).toThrow("-o needs a value");
});

describe("accepts", () => {
  test.each([
    ["nothing", [], {}],
    ["a repeated list, in order", ["--vip", "a=1", "--vip=b=2", "--vip", "c"], { vip: ["a=1", "b=2", "c"] }],
    [
      "words by comma and by repetition, each once",
      ["--role", "a,b", "--role=b,c"],
      { role: ["a", "b", "c"] },
    ],
    ["--flag=value", ["--token-file=/x"], { tokenFile: "/x" }],
    ["--flag value", ["--token-file", "/x"], { tokenFile: "/x" }],
    ["a value with an equals sign", ["--token-file=a=b"], { tokenFile: "a=b" }],
    ["a value that begins with a dash", ["--token-file=-"], { tokenFile: "-" }],
    ["a duration", ["--timeout", "90s", "--ttl=24h"], { timeout: 90_000, ttl: 86_400_000 }],
    ["a count", ["--uses", "3"], { uses: 3 }],
    ["a choice", ["--engine", "mariadb"], { engine: "mariadb" }],
    ["a flag that is on by default", ["--no-wait"], { wait: false }],
    [
      "the common flags, and twice",
      ["--json", "--yes", "--verbose", "--yes"],
      { json: true, yes: true, verbose: true },
    ],
  ])("%s", (_, argv, values) => {
    expect(parse("join", args, argv)).toEqual({ ...nothing, ...values });
  });

  const common = { json: false, yes: false, verbose: false };
  test.each([
    ["a required positional", node, ["node2"], { node: "node2" }],
    [
      "a positional before and after flags",
      node,
      ["--yes", "node2", "--json"],
      { node: "node2", yes: true, json: true },
    ],
    ["a positional after --", node, ["--", "--yes"], { node: "--yes" }],
    ["no optional positional", shell, [], { shell: undefined, words: [] }],
    [
      "everything after -- where it is asked for",
      shell,
      ["--", "a", "--b", ""],
      { shell: undefined, words: ["a", "--b", ""] },
    ],
  ])("%s", (_, args, argv, values) => {
    expect(parse("remove", args, argv)).toEqual({ ...common, ...values });
  });
});

describe("refuses", () => {
  test.each([
    [["--vpi", "x"], "usage.unknown_flag", "join has no flag --vpi", "did you mean --vip?"],
    [["--vpi=x"], "usage.unknown_flag", "join has no flag --vpi", "did you mean --vip?"],
    [["-y"], "usage.unknown_flag", "join has no flag -y", "see chime-node join --help"],
    [["--wait"], "usage.unknown_flag", "join has no flag --wait", "did you mean --no-wait?"],
    [["--no-watch"], "usage.unknown_flag", "join has no flag --no-watch", "did you mean --no-wait?"],
    [["--constructor"], "usage.unknown_flag", "join has no flag --constructor", "see chime-node join --help"],
    [["--token-file"], "usage.missing_value", "--token-file needs a value", "write --token-file FILE"],
    [["--token-file="], "usage.missing_value", "--token-file needs a value", "write --token-file FILE"],
    [
      ["--token-file", "--yes"],
      "usage.missing_value",
      "--token-file needs a value",
      "write --token-file FILE",
    ],
    [["--engine"], "usage.missing_value", "--engine needs a value", "write --engine percona|mysql|mariadb"],
    [["--yes=no"], "usage.unexpected_value", "--yes takes no value", "write --yes alone"],
    [
      ["--token-file=a", "--token-file=b"],
      "usage.repeated_flag",
      "--token-file is given twice",
      "give --token-file once",
    ],
    [
      ["--engine", "mariadbb"],
      "usage.bad_value",
      '--engine: "mariadbb" is not one of percona, mysql, mariadb',
      "did you mean mariadb?",
    ],
    [
      ["--timeout", "10"],
      "usage.bad_value",
      '--timeout: "10" is not a duration',
      "write it like 30s, 10m, 24h or 7d",
    ],
    [
      ["--uses", "0"],
      "usage.bad_value",
      '--uses: "0" is not a whole number from 1',
      "write it like --uses 3",
    ],
    [
      ["--role", "a,,b"],
      "usage.bad_value",
      '--role: "a,,b" is not a comma-separated list',
      "write it like --role ROLE[,ROLE]",
    ],
    [
      ["node2"],
      "usage.unexpected_argument",
      'join does not take the argument "node2"',
      "see chime-node join --help",
    ],
  ])("%p", (argv, code, message, remedy) => {
    expect(failure(args, argv)).toEqual({ code, message, remedy, exit: 2 });
  });

  test.each([
    [node, [], "usage.missing_argument", "join needs NODE"],
    [node, [""], "usage.missing_argument", "join needs NODE"],
    [node, ["a", "b"], "usage.unexpected_argument", 'join does not take the argument "b"'],
    [
      { kind: { type: "words", hint: "KIND", summary: "", options: ["kill", "cut"] } },
      ["--kind", "kill,cutt"],
      "usage.bad_value",
      '--kind: "cutt" is not one of kill, cut',
    ],
    [shell, ["bsh"], "usage.bad_value", 'join: "bsh" is not one of bash, zsh'],
    [
      { role: { ...args.role, required: true } },
      [],
      "usage.missing_argument",
      "join needs --role ROLE[,ROLE]",
    ],
    [
      { to: { type: "string", hint: "NODE", summary: "", required: true } },
      [],
      "usage.missing_argument",
      "join needs --to NODE",
    ],
  ] as [Args, string[], string, string][])("%p %p", (args, argv, code, message) => {
    expect(failure(args, argv)).toMatchObject({ code, message, exit: 2 });
  });
});

test("all that is missing is told at once, with an example", () => {
  const moments = {
    id: { type: "positional", hint: "ID", summary: "", required: true },
    from: { type: "string", hint: "TIME", summary: "", required: true },
    to: { type: "string", hint: "TIME", summary: "", required: true },
    role: { ...args.role, required: true },
  } as const;
  const told = (argv: string[]) => failure(moments, argv);
  expect(told([])).toEqual({
    code: "usage.missing_argument",
    message: "join needs ID and --from TIME and --to TIME and --role ROLE[,ROLE]",
    remedy: `write it like ${example}`,
    exit: 2,
  });
  expect(told(["x", "--to", "y"]).message).toBe("join needs --from TIME and --role ROLE[,ROLE]");
});

function failure(args: Args, argv: readonly string[]) {
  try {
    parse("join", args, argv);
  } catch (error) {
    if (!(error instanceof ChimeError)) throw error;
    const { code, message, remedy, exit } = error;
    return { code, message, remedy, exit };
  }
  throw new Error("was accepted");
}
