import { expect, test } from "bun:test";
import { defineGroup, defineVerb, type VerbTable } from "../../src/cli/command.ts";
import type { OutputOptions } from "../../src/cli/output.ts";
import { interrupted } from "../../src/cli/prompt.ts";
import { run } from "../../src/cli/run.ts";
import { Exit, refused } from "../../src/core/errors.ts";
import { fakeOutput } from "./fake.ts";

const calls: unknown[] = [];

const join = defineVerb({
  name: "join",
  summary: "enter the cluster",
  example: "chime-node join --role mysql",
  args: {
    role: { type: "words", hint: "ROLE[,ROLE]", summary: "what this node does", required: true },
    timeout: { type: "duration", summary: "how long to wait", default: "10m" },
    wait: { type: "flag", summary: "return early", default: true },
  },
  async run({ args, out }) {
    calls.push(args);
    out.result({ roles: args.role }, `joined as ${args.role.join(" and ")}`);
  },
});
const status = defineVerb({
  name: "status",
  summary: "show the cluster",
  example: "chime-node status",
  args: {},
  run: async () => Exit.problems,
});
const remove = defineVerb({
  name: "remove",
  summary: "take a node out",
  example: "chime-node remove node2",
  args: { node: { type: "positional", hint: "NODE", summary: "which", required: true } },
  run({ args }) {
    throw refused("remove.writer", `${args.node} is the writer`, {
      node: args.node,
      remedy: "move it first",
    });
  },
});
const wait = defineVerb({
  name: "wait",
  summary: "wait for ever",
  example: "chime-node wait",
  args: {},
  run: ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("some socket was closed")));
    }),
});
const handOver = defineVerb({
  name: "hand-over",
  summary: "not to be run again",
  example: "chime-node hand-over",
  args: {},
  run: ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(interrupted("look who writes")));
    }),
});
const create = defineVerb({
  name: "create",
  summary: "make a token",
  example: "chime-node token create --uses 1",
  args: { uses: { type: "count", hint: "N", summary: "how often" } },
  async run({ args, out }) {
    out.result({ uses: args.uses ?? null }, "made");
  },
});
const token = defineGroup("token", "tokens that let nodes join", [create]);

const table: VerbTable = {
  join: async () => join,
  status: async () => status,
  remove: async () => remove,
  wait: async () => wait,
  "hand-over": async () => handOver,
  token: async () => token,
};

async function call(argv: string[], signal = new AbortController().signal) {
  let streams: ReturnType<typeof fakeOutput> | undefined;
  const code = await run(argv, table, signal, (given: Partial<OutputOptions>) => {
    streams = fakeOutput(given);
    return streams.out;
  });
  return { code, stdout: streams?.stdout.text ?? "", stderr: streams?.stderr.text ?? "" };
}

test("a verb gets its arguments typed, and its result is printed", async () => {
  calls.length = 0;
  expect(await call(["join", "--role", "mysql", "--no-wait"])).toEqual({
    code: 0,
    stdout: "joined as mysql\n",
    stderr: "",
  });
  expect(calls).toEqual([
    { role: ["mysql"], timeout: 600_000, wait: false, json: false, yes: false, verbose: false },
  ]);
});

test("common flags may stand before the verb", async () => {
  const { code, stdout } = await call(["--json", "join", "--role=mysql"]);
  expect([code, JSON.parse(stdout)]).toEqual([0, { roles: ["mysql"] }]);
});

test("sub-verbs", async () => {
  expect(await call(["token", "create", "--uses", "3", "--json"])).toMatchObject({
    code: 0,
    stdout: '{\n  "uses": 3\n}\n',
  });
  expect(await call(["token", "--json", "create"])).toMatchObject({
    code: 0,
    stdout: '{\n  "uses": null\n}\n',
  });
});

test("a verb's own exit code", async () => {
  expect((await call(["status"])).code).toBe(4);
});

test("an error has its exit code, sentence and remedy", async () => {
  expect(await call(["remove", "node2"])).toEqual({
    code: 3,
    stdout: "",
    stderr: "error: node2 is the writer (on node2)\n  → move it first\n",
  });
});

test.each([
  [[], "usage.no_verb", "no verb given", "see chime-node --help"],
  [["jion"], "usage.unknown_verb", 'chime-node has no verb "jion"', "did you mean chime-node join?"],
  [["frobnicate"], "usage.unknown_verb", 'chime-node has no verb "frobnicate"', "see chime-node --help"],
  [["constructor"], "usage.unknown_verb", 'chime-node has no verb "constructor"', "see chime-node --help"],
  [["token"], "usage.no_verb", "token needs one of create", "see chime-node token --help"],
  [
    ["token", "craete"],
    "usage.unknown_verb",
    'chime-node has no verb "token craete"',
    "did you mean chime-node token create?",
  ],
  [
    ["token", "toString"],
    "usage.unknown_verb",
    'chime-node has no verb "token toString"',
    "see chime-node token --help",
  ],
  [
    ["token", "create", "--use", "3"],
    "usage.unknown_flag",
    "token create has no flag --use",
    "did you mean --uses?",
  ],
  [["--bogus", "status"], "usage.unknown_flag", "unknown flag --bogus", "see chime-node --help"],
  [["--role", "mysql", "join"], "usage.unknown_flag", "unknown flag --role", "see chime-node --help"],
  [
    ["token", "--bogus", "create"],
    "usage.unknown_flag",
    "token has no flag --bogus",
    "see chime-node token --help",
  ],
  [
    ["jion", "--help"],
    "usage.unknown_verb",
    'chime-node has no verb "jion"',
    "did you mean chime-node join?",
  ],
])("%p is wrong usage", async (argv, code, message, remedy) => {
  const result = await call(["--json", ...argv]);
  expect(result).toMatchObject({ code: 2, stderr: "" });
  expect(JSON.parse(result.stdout)).toEqual({ error: { code, message, node: null, remedy } });
});

test("an aborted verb ends with 130, whatever it tripped over, and says how to go on", async () => {
  const abort = new AbortController();
  const running = call(["wait"], abort.signal);
  setTimeout(() => abort.abort(interrupted()), 10);
  expect(await running).toEqual({
    code: 130,
    stdout: "",
    stderr: "error: interrupted\n  → run the same command again: it finishes what is left\n",
  });
});

test("an aborted verb that is not to be run again says what else to do", async () => {
  const abort = new AbortController();
  const running = call(["hand-over"], abort.signal);
  setTimeout(() => abort.abort(interrupted()), 10);
  expect(await running).toMatchObject({ code: 130, stderr: "error: interrupted\n  → look who writes\n" });
});

test.each(["--help", "-h", "help"])("%s: all verbs", async (word) => {
  const { code, stdout } = await call([word]);
  expect(code).toBe(0);
  for (const name of Object.keys(table)) expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, "m"));
});

test.each([
  [["join", "--role", "mysql", "--help"]],
  [["join", "-h"]],
  [["--help", "join"]],
  [["help", "join"]],
])("%p: one verb", async (argv) => {
  const { stdout } = await call(argv);
  expect(stdout).toBe(`Enter the cluster.

usage: chime-node join --role ROLE[,ROLE] [FLAGS]

  --role ROLE[,ROLE]  what this node does (may be repeated)
  --timeout 10m       how long to wait (default 10m)
  --no-wait           return early
  --json              print one JSON document on stdout
  --yes               answer every question with yes
  --verbose           log each step and show traces of errors

example: chime-node join --role mysql
`);
});

test("--help of a group and of a sub-verb", async () => {
  expect((await call(["token", "--help"])).stdout).toContain("token create  make a token");
  expect((await call(["token", "--help"])).stdout).toContain("usage: chime-node token VERB [FLAGS]");
  expect((await call(["token", "create", "--help"])).stdout).toContain(
    "usage: chime-node token create [FLAGS]",
  );
  expect((await call(["remove", "--help"])).stdout).toContain("usage: chime-node remove NODE [FLAGS]");
});
