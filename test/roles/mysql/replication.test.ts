import { expect, test } from "bun:test";
import { FailureWatch, nothingArrives } from "../../../src/roles/mysql/guard/replication.ts";
import { following, server } from "./views.ts";

const well = server({ replica: following }).replica;
const failed = { ...well, receiver: "stopped", error: "could not queue event" } as const;

test("one failure is nothing to tell, one that comes again after each new beginning is", () => {
  const watch = new FailureWatch();
  expect(watch.look(failed, 0)).toBeNull();
  expect(watch.look(well, 500)).toBeNull();
  expect(watch.look(failed, 1_000)).toBeNull();
  expect(watch.look(well, 2_500)).toBeNull();
  expect(watch.look(failed, 3_000)).toBe("could not queue event");
  expect(watch.look(well, 4_000)).toBe("could not queue event");
});

test("it is over when it went well for a while, or there is nothing to replicate from", () => {
  const watch = new FailureWatch();
  watch.look(failed, 0);
  watch.look(failed, 3_000);
  expect(watch.look(well, 5_999)).not.toBeNull();
  expect(watch.look(well, 6_000)).toBeNull();
  watch.look(failed, 10_000);
  watch.look(failed, 13_000);
  expect(watch.look(undefined, 13_100)).toBeNull();
  expect(watch.look(failed, 13_200)).toBeNull();
});

test("a receiver that runs and an applier that stopped with an error fail, too", () => {
  const watch = new FailureWatch();
  const broken = { ...well, applier: false, error: "Can't find record" };
  watch.look(broken, 0);
  expect(watch.look(broken, 3_000)).toBe("Can't find record");
});

test("nothing arrives of what the writer has more", () => {
  const watch = new FailureWatch();
  const silent = { ...well, reading: "chime-bin.000001:4" };
  watch.compared(true, silent, 0);
  watch.compared(true, silent, 19_000);
  expect(watch.look(silent, 19_999)).toBeNull();
  expect(watch.look(silent, 20_000)).toBe(nothingArrives);
  expect(watch.look({ ...silent, reading: "chime-bin.000001:512" }, 20_100)).toBeNull();
});

test("a large transaction that arrives, or is being applied, is not nothing", () => {
  const watch = new FailureWatch();
  for (let at = 0; at < 60_000; at += 5_000) {
    const reading = `chime-bin.000001:${at}`;
    watch.compared(true, { ...well, reading }, at);
    expect(watch.look({ ...well, reading: `${reading}9` }, at + 4_000)).toBeNull();
  }
  const busy = { ...well, reading: "chime-bin.000001:4", pending: true };
  for (let at = 60_000; at < 120_000; at += 5_000) {
    watch.compared(true, busy, at);
    expect(watch.look(busy, at)).toBeNull();
  }
});
