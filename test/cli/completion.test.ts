import { expect, test } from "bun:test";
import { defineGroup, defineVerb, type VerbTable } from "../../src/cli/command.ts";
import { candidates } from "../../src/cli/completion/candidates.ts";
import { scripts, shells } from "../../src/cli/completion/scripts.ts";

const common = { summary: "", example: "", run: async () => undefined };
const join = defineVerb({
  ...common,
  name: "join",
  args: {
    role: { type: "words", hint: "ROLE", summary: "" },
    engine: { type: "choice", options: ["mysql", "mariadb"], summary: "" },
    token: { type: "string", hint: "T", summary: "" },
    wait: { type: "flag", summary: "", default: true },
  },
});
const init = defineVerb({ ...common, name: "init", args: {} });
const shell = defineVerb({
  ...common,
  name: "completion",
  args: {
    shell: { type: "positional", hint: "SHELL", summary: "", required: true, options: ["bash", "zsh"] },
  },
});
const create = defineVerb({
  ...common,
  name: "create",
  args: { uses: { type: "count", hint: "N", summary: "" } },
});
const list = defineVerb({ ...common, name: "list", args: {} });
const drill = defineVerb({
  ...common,
  name: "drill",
  args: { kind: { type: "words", hint: "KIND", summary: "", options: ["kill", "cut", "hang"] } },
});
const table: VerbTable = {
  init: async () => init,
  join: async () => join,
  token: async () => defineGroup("token", "", [create, list]),
  completion: async () => shell,
  drill: async () => drill,
};
const flags = ["--json", "--yes", "--verbose", "--help"];

test.each([
  [[""], ["init", "join", "token", "completion", "drill"]],
  [["j"], ["join"]],
  [["--v"], ["--version"]],
  [["--json", "i"], ["init"]],
  [["jo", ""], []],
  [["toString", ""], []],
  [["join", ""], []],
  [
    ["join", "--"],
    ["--role", "--engine", "--token", "--no-wait", ...flags],
  ],
  [
    ["join", "--json", "--token", "x", "--"],
    ["--role", "--engine", "--no-wait", "--yes", "--verbose", "--help"],
  ],
  [["join", "--role", "mysql", "--r"], ["--role"]],
  [
    ["join", "--engine", ""],
    ["mysql", "mariadb"],
  ],
  [["join", "--engine", "ma"], ["mariadb"]],
  [["join", "--engine=ma"], ["--engine=mariadb"]],
  [["join", "--engine", "=", "ma"], ["mariadb"]],
  [
    ["join", "--engine", "="],
    ["mysql", "mariadb"],
  ],
  [["join", "--token", ""], []],
  [
    ["drill", "--kind", ""],
    ["kill", "cut", "hang"],
  ],
  [["drill", "--kind", "kill,c"], ["kill,cut"]],
  [
    ["drill", "--kind=kill,"],
    ["--kind=kill,cut", "--kind=kill,hang"],
  ],
  [
    ["token", ""],
    ["create", "list"],
  ],
  [["token", "c"], ["create"]],
  [["token", "create", "--u"], ["--uses"]],
  [["token", "nonsense", ""], []],
  [
    ["completion", ""],
    ["bash", "zsh"],
  ],
  [["completion", "bash", ""], []],
])("%j", async (words, expected) => {
  expect((await candidates(table, words)).map(({ value }) => value)).toEqual(expected);
});

test("the words go to the program as they are: what was typed is never run", async () => {
  const typed = "$(touch pwned)";
  const program = `chime-node() { printf '%s\\n' "$@" >&3; echo "mysql\tan engine"; }`;
  const press = `COMP_WORDS=(chime-node join "$1" ""); COMP_CWORD=3; _chime_node; echo "\${COMPREPLY[@]}"`;
  const child = Bun.spawn(["bash", "-c", `exec 3>&2; ${program}; ${scripts.bash}\n${press}`, "bash", typed], {
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await child.stdout.text()).toBe("mysql\n");
  // The script mutes the program's stderr; descriptor 3 is the way out of that.
  expect(await child.stderr.text()).toBe(`completion\n--\njoin\n${typed}\n\n`);
});

test("there is a script for each shell, and it asks this binary", () => {
  for (const name of shells) expect(scripts[name]).toContain("chime-node completion -- ");
});
