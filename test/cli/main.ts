/** A program around `main` with verbs that misbehave, started by main.test.ts. */
import { defineVerb } from "../../src/cli/command.ts";
import { main } from "../../src/cli/run.ts";

const verbs = [
  defineVerb({
    name: "flood",
    summary: "print more than a pipe holds",
    example: "",
    args: {},
    async run({ out }) {
      out.result({}, "x".repeat(1_000_000));
    },
  }),
  defineVerb({
    name: "wait",
    summary: "wait until aborted",
    example: "",
    args: {},
    run: ({ out, signal }) =>
      new Promise((_, reject) => {
        const alive = setInterval(() => undefined, 1000);
        signal.addEventListener("abort", () => {
          clearInterval(alive);
          reject(signal.reason as Error);
        });
        out.progress("waiting for the test");
      }),
  }),
  defineVerb({
    name: "watch",
    summary: "print a line a moment until aborted",
    example: "",
    args: {},
    async run({ out, signal }) {
      while (!signal.aborted) {
        out.frame("again");
        await Bun.sleep(1);
      }
      return 130;
    },
  }),
  defineVerb({
    name: "deaf",
    summary: "do not let go",
    example: "",
    args: {},
    run({ out }) {
      setInterval(() => undefined, 1000);
      out.progress("not listening");
      return new Promise(() => undefined);
    },
  }),
];

await main(process.argv.slice(2), Object.fromEntries(verbs.map((verb) => [verb.name, async () => verb])));
