import { usageError } from "../../core/errors.ts";
import { defineVerb } from "../command.ts";
import { scripts, shells } from "../completion/scripts.ts";

export const completion = defineVerb({
  name: "completion",
  summary: "print the completion of this command line for a shell",
  example: "source <(chime-node completion bash)",
  args: {
    shell: {
      type: "positional",
      hint: "SHELL",
      summary: "the shell that will read it",
      required: false,
      options: shells,
    },
    words: { type: "rest", summary: "the command line so far; the shell asks so" },
  },
  async run({ args, out }) {
    if (args.shell !== undefined) {
      const script = scripts[args.shell];
      out.result({ shell: args.shell, script }, script);
      return;
    }
    if (args.words.length === 0) {
      throw usageError(
        "usage.missing_argument",
        "completion needs a shell",
        "chime-node completion bash|zsh|fish",
      );
    }
    const [{ candidates }, { verbs }] = await Promise.all([
      import("../completion/candidates.ts"),
      import("../index.ts"),
    ]);
    const found = await candidates(verbs, args.words);
    out.result(found, found.map(({ value, summary }) => `${value}\t${summary}\n`).join(""));
  },
});
