import { expect, test } from "bun:test";
import { readWaiting, StuckThreads } from "../../src/host/stuck.ts";

test("state and waits of a thread", () => {
  const status = "Name:\tmariadbd\nState:\tD (disk sleep)\nPid:\t7\nvoluntary_ctxt_switches:\t41\n";
  expect(readWaiting(status)).toEqual({ isUninterruptible: true, waits: "41" });
  expect(readWaiting(status.replace("D (disk sleep)", "S (sleeping)")).isUninterruptible).toBe(false);
  expect(readWaiting("")).toEqual({ isUninterruptible: false, waits: "" });
});

test("a process that works, and one that is gone, are not stuck", async () => {
  const stuck = new StuckThreads();
  expect(await stuck.look(process.pid, 0)).toBe(0);
  expect(await stuck.look(2 ** 22 + 1, 10_000)).toBe(0);
});
