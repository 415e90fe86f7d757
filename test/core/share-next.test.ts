import { expect, test } from "bun:test";
import { shareNext } from "../../src/core/share-next.ts";

/** Work whose runs end when they are told to. */
function slow() {
  const runs: PromiseWithResolvers<void>[] = [];
  const ask = shareNext(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  return { runs, ask };
}

test("who asks while it is under way shares the next run, which begins after this one", async () => {
  const { runs, ask } = slow();
  const first = ask();
  await Promise.resolve();
  const others = [ask(), ask()];
  await Promise.resolve();
  expect(runs).toHaveLength(1);
  runs[0]?.resolve();
  await first;
  await Promise.resolve();
  expect(runs).toHaveLength(2);
  runs[1]?.resolve();
  await Promise.all(others);
  expect(runs).toHaveLength(2);
});

test("a run that fails is told to those who share it alone", async () => {
  const { runs, ask } = slow();
  const first = ask();
  await Promise.resolve();
  const second = ask();
  runs[0]?.reject(new Error("no"));
  await expect(first).rejects.toThrow("no");
  await Promise.resolve();
  runs[1]?.resolve();
  expect(await second).toBeUndefined();
});
