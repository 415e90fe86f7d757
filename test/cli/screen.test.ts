import { expect, test } from "bun:test";
import { createScreen } from "../../src/cli/screen.ts";
import { FakeSink, fakeOutput } from "./fake.ts";

const enter = "\u001B[?1049h\u001B[?25l";
const leave = "\u001B[?25h\u001B[?1049l";

test("each picture is drawn over the last one, on a screen that is given back", () => {
  const sink = new FakeSink(true);
  const screen = createScreen(sink);
  screen.draw("one\ntwo\n");
  screen.draw("three\n");
  screen.close();
  screen.close();
  expect(sink.text).toBe(
    `${enter}\u001B[Hone\u001B[K\ntwo\u001B[K\u001B[J\u001B[Hthree\u001B[K\u001B[J${leave}`,
  );
});

test("a picture that stands there already is not drawn again", () => {
  const sink = new FakeSink(true);
  const screen = createScreen(sink);
  screen.draw("one");
  const { length } = sink.text;
  screen.draw("one");
  expect(sink.text).toHaveLength(length);
});

test("what is too wide is wrapped, what is too high is cut off at the end", () => {
  const sink = new FakeSink(true, 10, 4);
  createScreen(sink).draw("a b c d e f g\n2\n3\n4\n5");
  const lines = sink.text.slice(`${enter}\u001B[H`.length).split("\n");
  expect(lines.map((line) => Bun.stripANSI(line).trimEnd())).toEqual([
    "a b c d e",
    "f g",
    "2",
    "… 3 more lines",
  ]);
});

test("a warning is not written into the picture, and none of this without a terminal", () => {
  const live = fakeOutput({ tty: true });
  live.out.frame("one");
  live.out.warn("two");
  expect(live.stdout.text).toEndWith(leave);
  for (const given of [{}, { tty: true, env: { TERM: "dumb" } }]) {
    const plain = fakeOutput(given);
    plain.out.frame("one");
    plain.out.frame("two");
    plain.out.close();
    expect(plain.stdout.text).toBe("one\ntwo\n");
  }
});
