import { afterEach, beforeEach, expect, test } from "bun:test";
import { failed } from "../../src/core/errors.ts";
import { setLogWriter } from "../../src/core/log.ts";
import { Watch } from "../../src/roles/watch.ts";

const said: string[] = [];
beforeEach(() => {
  said.length = 0;
  // Before a new line the log says how often the last one was repeated: by whatever test was before.
  setLogWriter((line) => {
    if (line.includes("minio:")) said.push(line);
  });
});
afterEach(() => setLogWriter((line) => process.stderr.write(`${line}\n`)));

const clock = { sleep: () => Promise.resolve() };

test("what goes wrong is told and is no end; a stop is nothing wrong", async () => {
  const watch = new Watch(clock, "minio");
  const { promise, resolve } = Promise.withResolvers<void>();
  let times = 0;
  watch.every(1_000, async () => {
    if (++times === 1) throw failed("minio.timeout", "no answer");
    resolve();
    await new Promise((_, reject) => watch.signal.addEventListener("abort", reject));
  });
  await promise;
  await watch.stop();
  expect([times, said]).toEqual([2, ["warn: minio: no answer"]]);
});
