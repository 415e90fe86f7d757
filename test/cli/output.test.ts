import { expect, test } from "bun:test";
import { refused, usageError } from "../../src/core/errors.ts";
import { registerSecret } from "../../src/core/mask.ts";
import { fakeOutput } from "./fake.ts";

const secret = registerSecret("Xyzzy0123456789abcdefGHIJKLMNOPQ");

test("a result goes to stdout, as text or as one JSON document", () => {
  const human = fakeOutput();
  human.out.result({ a: 1 }, "one");
  expect([human.stdout.text, human.stderr.text]).toEqual(["one\n", ""]);
  const json = fakeOutput({ json: true });
  json.out.result({ a: 1 }, "one");
  expect(JSON.parse(json.stdout.text)).toEqual({ a: 1 });
  expect(() => json.out.result({ b: 1 }, "two")).toThrow("two JSON documents");
});

test("an empty result writes nothing", () => {
  const { out, stdout } = fakeOutput();
  out.result([], "");
  expect(stdout.text).toBe("");
});

test("notes, warnings and progress go to stderr", () => {
  const { out, stdout, stderr } = fakeOutput();
  out.note("one");
  out.warn("two");
  out.progress("three");
  out.close();
  expect(stdout.text).toBe("");
  expect(stderr.lines()).toEqual(["one", "warning: two", "three…"]);
});

test("an error is a sentence and a remedy on stderr", () => {
  const { out, stdout, stderr } = fakeOutput();
  out.error(refused("vip.in-use", "the VIP is taken", { node: "node2", remedy: "take another" }));
  expect(stdout.text).toBe("");
  expect(stderr.lines()).toEqual(["error: the VIP is taken (on node2)", "  → take another"]);
});

test("with --json an error is the document on stdout", () => {
  const { out, stdout, stderr } = fakeOutput({ json: true });
  out.error(refused("vip.in-use", "the VIP is taken", { node: "node2", remedy: "take another" }));
  expect(stderr.text).toBe("");
  expect(JSON.parse(stdout.text)).toEqual({
    error: { code: "vip.in-use", message: "the VIP is taken", node: "node2", remedy: "take another" },
  });
});

test("with --json an error after the result does not make a second document", () => {
  const { out, stdout, stderr } = fakeOutput({ json: true });
  out.result({ failed: ["x"] }, "");
  out.error(refused("x.y", "late"));
  expect(JSON.parse(stdout.text)).toEqual({ failed: ["x"] });
  expect(stderr.lines()).toEqual(["error: late"]);
});

test("an error that locates itself begins its line", () => {
  const { out, stderr } = fakeOutput();
  out.error(usageError("spec.invalid", "/etc/my files/cluster.toml:3:7: x must be y\n  3 | x = z"));
  expect(stderr.lines()[0]).toBe("/etc/my files/cluster.toml:3:7: x must be y");
});

test("an unforeseen error is `internal`; its trace is for --verbose alone", () => {
  const quiet = fakeOutput();
  quiet.out.error(new TypeError("x is not a function"));
  expect(quiet.stderr.lines()).toHaveLength(2);
  const verbose = fakeOutput({ verbose: true });
  verbose.out.error(new TypeError("x is not a function"));
  expect(verbose.stderr.text).toContain("output.test.ts");
});

test("secrets are masked wherever they come from", () => {
  const { out, stderr } = fakeOutput();
  out.note(`password ${secret}`);
  out.progress(`trying ${secret}`);
  out.error(refused("x.y", `denied for ${secret}`, `use ${secret}`));
  expect(stderr.text).not.toContain(secret);
  const json = fakeOutput({ json: true });
  json.out.error(refused("x.y", `denied for ${secret}`, `use ${secret}`));
  expect(json.stdout.text).not.toContain(secret);
});

test("colour needs a terminal, no NO_COLOR, and a terminal that can", () => {
  const red = "\u001B[31m";
  const paint = (given: Parameters<typeof fakeOutput>[0]) => {
    const { out, stderr } = fakeOutput(given);
    out.error(refused("x.y", "no"));
    return [out.style.red("x").includes(red), stderr.text.includes(red)];
  };
  expect(paint({ tty: true })).toEqual([true, true]);
  expect(paint({ tty: false })).toEqual([false, false]);
  expect(paint({ tty: true, env: { TERM: "xterm", NO_COLOR: "1" } })).toEqual([false, false]);
  expect(paint({ tty: true, env: { TERM: "dumb" } })).toEqual([false, false]);
});

test("words of others drive no terminal, and colours stay", () => {
  const { out, stdout, stderr } = fakeOutput({ tty: true });
  const hostile = "a\u001B[2J\u001B]0;x\u0007\u009B1A\r\u202Eb";
  const tamed = "a\uFFFD[2J\uFFFD]0;x\uFFFD\uFFFD1A\uFFFD\uFFFDb";
  out.result({}, `${out.style.red("one")}\t${hostile}\n`);
  expect(stdout.text).toBe(`\u001B[31mone\u001B[39m\t${tamed}\n`);
  out.warn(hostile);
  out.error(refused("a.b", hostile, { remedy: hostile }));
  expect(stderr.text).not.toContain("\u001B[2J");
  expect(stderr.text.split(tamed).length).toBe(4);
});
