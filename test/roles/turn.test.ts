import { describe, expect, test } from "bun:test";
import { Turn } from "../../src/roles/turn.ts";

/** Two nodes that ask each other. */
function pair() {
  let now = 0;
  const clock = { now: () => now };
  const [first, second] = [new Turn(clock), new Turn(clock)];
  return {
    first,
    second,
    pass: (ms: number) => (now += ms),
    /** As the first asks the second, and the other way round. */
    firstAsks: () => first.take("node2", undefined, () => Promise.resolve(second.answer(false, undefined))),
    secondAsks: () => second.take("node2", undefined, () => Promise.resolve(first.answer(true, undefined))),
  };
}

test("one that clients cannot be left to is not asked", async () => {
  const turn = new Turn({ now: () => 0 });
  const asked = () => Promise.reject(new Error("asked"));
  expect(await turn.take("node2", ", which is not heard", asked)).toBe(
    "waiting for node2, which is not heard",
  );
  expect(turn.isMine).toBe(false);
});

test("the other one has the last word, and none is no yes", async () => {
  const turn = new Turn({ now: () => 0 });
  expect(await turn.take("node2", undefined, () => Promise.resolve({ why: "no" }))).toBe(
    "waiting for node2: no",
  );
  expect(await turn.take("node2", undefined, () => Promise.reject(new Error("gone")))).toContain("gone");
  expect(await turn.take("node2", undefined, () => Promise.resolve(null))).toBeString();
  expect(turn.isMine).toBe(false);
});

describe("two that ask each other", () => {
  test("one after the other: who has it keeps it until its server was restarted", async () => {
    const { second, firstAsks, secondAsks, pass } = pair();
    expect(await secondAsks()).toBeUndefined();
    expect(await firstAsks()).toBe("waiting for node2 to restart its server");
    pass(15_000);
    expect(await firstAsks()).toBe("waiting for node2: its own server is restarted first");
    second.end();
    expect([second.isMine, await firstAsks()]).toEqual([false, undefined]);
  });

  test("who has left it to the other one does not take it as long as the answer may be on its way", async () => {
    const { first, firstAsks, pass } = pair();
    expect(first.answer(true, undefined)).toEqual({ why: null });
    expect(first.isGiven).toBe(true);
    expect(await firstAsks()).toBe("waiting for node2 to restart its server");
    pass(15_000);
    expect(first.isGiven).toBe(false);
    expect(await firstAsks()).toBeUndefined();
  });

  test("at the same moment: the first has it, and the other one not", async () => {
    const { first, second } = pair();
    const asked = Promise.withResolvers<unknown>();
    const [one, other] = [
      first.take("node2", undefined, () => asked.promise),
      second.take("node2", undefined, () => Promise.resolve(first.answer(true, undefined))),
    ];
    asked.resolve(second.answer(false, undefined));
    expect(await Promise.all([one, other])).toEqual([
      undefined,
      "waiting for node2: its own server is restarted first",
    ]);
    expect([first.isMine, second.isMine]).toEqual([true, false]);
  });

  test("the first asks twice: a no to one question leaves the other one open", async () => {
    const { first, second } = pair();
    const answers = [1, 2].map(() => Promise.withResolvers<unknown>());
    const [one, two] = answers.map(({ promise }) => first.take("node2", undefined, () => promise));
    answers[0]?.resolve({ why: "it lacks points" });
    expect(await one).toBe("waiting for node2: it lacks points");
    const other = second.take("node1", undefined, () => Promise.resolve(first.answer(true, undefined)));
    answers[1]?.resolve(second.answer(false, undefined));
    expect(await Promise.all([two, other])).toEqual([
      undefined,
      "waiting for node1: its own server is restarted first",
    ]);
    expect([first.isMine, second.isMine]).toEqual([true, false]);
  });

  test.each(["take", "takeUrgently"] as const)(
    "who has left it to the other one before the answer comes has not got it: %s",
    async (how) => {
      const { second } = pair();
      const answer = Promise.withResolvers<unknown>();
      const asked = () => answer.promise;
      const taken =
        how === "take" ? second.take("node1", undefined, asked) : second.takeUrgently("node1", asked);
      expect(second.answer(false, undefined)).toEqual({ why: null });
      answer.resolve({ why: null });
      expect(await taken).toBe("waiting for node1 to restart its server");
      expect(second.isMine).toBe(false);
    },
  );

  test("who asks twice and gets it twice has it until the run that followed the first is well", async () => {
    const { first } = pair();
    const answers = [1, 2].map(() => Promise.withResolvers<unknown>());
    const taken = answers.map(({ promise }) => first.take("node2", undefined, () => promise));
    answers[0]?.resolve({ why: null });
    expect(await taken[0]).toBeUndefined();
    first.restarted();
    answers[1]?.resolve({ why: null });
    expect(await taken[1]).toBeUndefined();
    first.well();
    expect(first.isMine).toBe(false);
  });

  test("who does not use it loses it", async () => {
    const { first, secondAsks, firstAsks, pass } = pair();
    expect(await firstAsks()).toBeUndefined();
    expect(await secondAsks()).toContain("waiting for node2");
    pass(60_000);
    expect(first.isMine).toBe(false);
    expect(await secondAsks()).toBeUndefined();
  });

  test("who has it keeps it until the new run of its server is well", async () => {
    const { second, firstAsks, secondAsks, pass } = pair();
    second.restarted();
    expect(await secondAsks()).toBeUndefined();
    pass(15_000);
    second.well();
    expect(await firstAsks()).toBe("waiting for node2: its own server is restarted first");
    second.restarted();
    expect(second.isMine).toBe(true);
    second.well();
    expect([second.isMine, await firstAsks()]).toEqual([false, undefined]);
  });

  test("whatever the other one lacks: one after the other all the same", async () => {
    const { first, second, pass } = pair();
    const insist = (one: Turn, other: Turn, isFirst: boolean) =>
      one.takeUrgently("node2", ({ urgent }) =>
        Promise.resolve(other.answer(isFirst, urgent ? undefined : "it lacks points")),
      );
    const both = () => Promise.all([insist(first, second, false), insist(second, first, true)]);
    expect(await both()).toEqual([undefined, "waiting for node2 to restart its server"]);
    pass(15_000);
    expect(await insist(second, first, true)).toBe("waiting for node2: its own server is restarted first");
    first.restarted();
    first.well();
    expect(await insist(second, first, true)).toBeUndefined();
    expect([first.isMine, second.isMine]).toEqual([false, true]);
  });

  test("whatever the other one lacks: who does not answer is not waited for", async () => {
    const turn = new Turn({ now: () => 0 });
    const gone = () => Promise.reject(new Error("gone"));
    expect(await turn.takeUrgently("node2", gone)).toBeUndefined();
    expect(turn.isMine).toBe(true);
  });

  test("who cannot use what was left to it has not relied on it", () => {
    const { first } = pair();
    expect(first.answer(true, undefined)).toEqual({ why: null });
    first.withdraw();
    expect(first.isGiven).toBe(false);
  });

  test("a server that is not to be left alone with the clients says why", () => {
    const { first } = pair();
    expect(first.answer(true, "it lacks points")).toEqual({ why: "it lacks points" });
  });
});
