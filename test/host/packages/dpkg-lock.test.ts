import { expect, test } from "bun:test";
import type { Clock } from "../../../src/core/clock.ts";
import { parseLockHolders, waitForLock } from "../../../src/host/packages/dpkg-lock.ts";

test("parseLockHolders: write locks of processes we can see, each once", () => {
  const text = `1: POSIX  ADVISORY  WRITE 812 fe:00:10102240 0 EOF
2: POSIX  ADVISORY  WRITE 812 fe:00:10102087 0 EOF
2: -> POSIX  ADVISORY  WRITE 900 fe:00:10102087 0 EOF
3: FLOCK  ADVISORY  WRITE 77 fe:00:1 0 EOF
4: POSIX  ADVISORY  READ 78 fe:00:2 0 EOF
5: OFDLCK ADVISORY  WRITE -1 fe:00:3 0 EOF
6: POSIX  ADVISORY  WRITE 0 fe:00:4 0 EOF
`;
  expect(parseLockHolders(text)).toEqual([812]);
  expect(parseLockHolders("")).toEqual([]);
});

/** A clock that only sleeping moves. */
function fakeClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    wall: () => now,
    sleep(ms, signal) {
      now += ms;
      return signal?.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve();
    },
  };
}

test("says once for whom it waits, and again when that changes", async () => {
  const said: string[] = [];
  const holders = ["apt-get (pid 1)", "apt-get (pid 1)", "dpkg (pid 2)", undefined];
  const work = { signal: new AbortController().signal, progress: (line: string) => void said.push(line) };
  await waitForLock(work, () => Promise.resolve(holders.shift()), fakeClock());
  expect(said).toEqual([
    "waiting for apt-get (pid 1) to release the package lock",
    "waiting for dpkg (pid 2) to release the package lock",
  ]);
});

test("gives up after a quarter of an hour, naming the holder", async () => {
  const work = { signal: new AbortController().signal, progress: () => undefined };
  const waited = waitForLock(work, () => Promise.resolve("apt-get (pid 1)"), fakeClock());
  expect(await waited.catch((error: unknown) => error)).toMatchObject({
    code: "packages.locked",
    message: "apt-get (pid 1) has held the package lock for 15 minutes",
  });
});

test("an abort ends the waiting", async () => {
  const controller = new AbortController();
  controller.abort(new Error("interrupted"));
  const work = { signal: controller.signal, progress: () => undefined };
  const waited = waitForLock(work, () => Promise.resolve("apt-get (pid 1)"), fakeClock());
  expect(await waited.catch((error: unknown) => error)).toEqual(new Error("interrupted"));
});
