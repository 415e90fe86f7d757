import { expect, test } from "bun:test";
import { caught, fakeOutput } from "./fake.ts";

test.each([
  ["y\n", true],
  ["YES\n", true],
  ["n\n", false],
  ["\n", false],
  ["yep\n", false],
])("typing %j is %p", async (typed, answer) => {
  const { out, stdin, stderr } = fakeOutput({ tty: true });
  const asked = out.confirm("go on?");
  stdin.type(typed);
  expect(await asked).toBe(answer);
  expect(stderr.text).toContain("go on? [y/N] ");
  expect(stdin.listeners).toBe(0);
});

test("the end of input is a no", async () => {
  const { out, stdin, stderr } = fakeOutput({ tty: true });
  const asked = out.confirm("go on?");
  stdin.end();
  expect(await asked).toBe(false);
  // What is said next begins a line.
  expect(stderr.text).toBe("go on? [y/N] \n");
});

test("--yes answers without a question", async () => {
  const { out, stderr } = fakeOutput({ tty: true, yes: true });
  expect(await out.confirm("go on?")).toBe(true);
  expect(stderr.text).toBe("");
});

test.each([
  ["without a terminal", { tty: false }],
  ["with --json", { tty: true, json: true }],
])("%s a question is wrong usage", async (_, given) => {
  const { out } = fakeOutput(given);
  expect(await caught(out.confirm("delete it?"))).toMatchObject({
    code: "usage.needs_yes",
    exit: 2,
    message: expect.stringContaining("delete it?"),
    remedy: expect.stringContaining("--yes"),
  });
  expect(await out.ask("name")).toBeUndefined();
  expect(await out.askSecret("token")).toBeUndefined();
});

test("a line is asked for also with --yes, which is no answer to it", async () => {
  const { out, stdin, stderr } = fakeOutput({ tty: true, yes: true });
  const asked = out.ask("the name");
  stdin.type("chime\n");
  expect(await asked).toBe("chime");
  expect(stderr.text).toBe("the name: ");
  expect(stdin.listeners).toBe(0);
});

test("a secret is not shown, backspace works, and the terminal is put back", async () => {
  const { out, stdin, stderr } = fakeOutput({ tty: true });
  const asked = out.askSecret("token");
  expect(stdin.raw).toBe(true);
  stdin.type("chimm");
  stdin.type("\u007Fe1.abc\r");
  expect(await asked).toBe("chime1.abc");
  expect(stdin.raw).toBe(false);
  expect(stderr.text).toBe("token: \n");
});

test("Ctrl-C at a secret is an interruption", async () => {
  const { out, stdin } = fakeOutput({ tty: true });
  const asked = out.askSecret("token");
  stdin.type("\u0003");
  expect(await caught(asked)).toMatchObject({ code: "interrupted", exit: 130 });
  expect(stdin.raw).toBe(false);
});

test("what is said after an abort at a question begins a line", async () => {
  const { out, stderr, abort } = fakeOutput({ tty: true });
  const asked = out.confirm("go on?");
  abort.abort(new Error("stop"));
  expect(await caught(asked)).toEqual(new Error("stop"));
  expect(stderr.text).toBe("go on? [y/N] \n");
});

test("an abort ends a question and puts the terminal back", async () => {
  const { out, stdin, abort } = fakeOutput({ tty: true });
  const asked = out.askSecret("token");
  abort.abort(new Error("stop"));
  expect(await caught(asked)).toEqual(new Error("stop"));
  expect([stdin.raw, stdin.listeners]).toEqual([false, 0]);
});
