import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { createProgress } from "../../src/cli/progress.ts";
import { FakeSink } from "./fake.ts";

const clock = { ms: 0, now: () => clock.ms };

beforeEach(() => {
  clock.ms = 0;
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function pass(ms: number): void {
  for (let i = 0; i < ms; i += 100) {
    clock.ms += 100;
    jest.advanceTimersByTime(100);
  }
}

test("without a terminal: each new line once, then again every ten seconds with its age", () => {
  const sink = new FakeSink();
  const progress = createProgress(sink, clock);
  progress.line("waiting for node2 to be installed");
  progress.line("waiting for node2 to be installed");
  pass(9_000);
  expect(sink.lines()).toEqual(["waiting for node2 to be installed…"]);
  pass(12_000);
  progress.line("starting mariadb");
  expect(sink.lines()).toEqual([
    "waiting for node2 to be installed…",
    "waiting for node2 to be installed… 10 s",
    "waiting for node2 to be installed… 20 s",
    "starting mariadb…",
  ]);
  progress.stop();
  pass(30_000);
  expect(sink.lines()).toHaveLength(4);
  expect(sink.text).not.toContain("\u001B");
});

test("on a terminal: one line that is redrawn, and gone at the end", () => {
  const sink = new FakeSink(true);
  const progress = createProgress(sink, clock);
  progress.line("waiting");
  pass(3_000);
  progress.stop();
  expect(sink.text.split("\r\u001B[K")).toEqual([
    "",
    "waiting…",
    "waiting…",
    "waiting… 2 s",
    "waiting… 3 s",
    "",
  ]);
  expect(sink.text).not.toContain("\n");
});

test("a line wider than the terminal is cut, for one that wraps cannot be erased", () => {
  const sink = new FakeSink(true, 20);
  createProgress(sink, clock).line("waiting for a node with quite a long name");
  expect(sink.text).toBe("\r\u001B[Kwaiting for a node…");
});

test("a terminal that does not know its width is taken for 80 columns", () => {
  const sink = new FakeSink(true, 0);
  createProgress(sink, clock).line("waiting");
  expect(sink.text).toBe("\r\u001B[Kwaiting…");
});

test("clear takes the line away, and the next redraw brings it back", () => {
  const sink = new FakeSink(true);
  const progress = createProgress(sink, clock);
  progress.line("waiting");
  progress.clear();
  progress.clear();
  sink.write("a log line\n");
  pass(1_000);
  expect(sink.text).toBe("\r\u001B[Kwaiting…\r\u001B[Ka log line\n\r\u001B[Kwaiting…");
});
