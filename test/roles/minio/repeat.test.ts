import { afterEach, beforeEach, expect, test } from "bun:test";
import { failed } from "../../../src/core/errors.ts";
import { setLogWriter } from "../../../src/core/log.ts";
import { repeat } from "../../../src/roles/minio/guard/repeat.ts";

const said: string[] = [];
beforeEach(() => {
  said.length = 0;
  setLogWriter((line) => said.push(line));
});
afterEach(() => setLogWriter((line) => process.stderr.write(`${line}\n`)));

const clock = { sleep: () => Promise.resolve() };

test("what goes wrong is told and is no end; a stop is nothing wrong", async () => {
  const stop = new AbortController();
  let times = 0;
  await repeat(clock, 1_000, stop.signal, () => {
    if (++times === 1) return Promise.reject(failed("minio.timeout", "no answer"));
    stop.abort();
    return Promise.reject(stop.signal.reason as Error);
  });
  expect([times, said]).toEqual([2, ["warn: minio: no answer"]]);
});
