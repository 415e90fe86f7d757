import { describe, expect, test } from "bun:test";
import { undoAll } from "../../src/plan/reset.ts";
import type { Kind } from "../../src/resources/types.ts";
import { memoryLedger } from "./fake.ts";
import { failure } from "./failure.ts";

const context = { progress: () => undefined };

function kinds(log: string[], failAt?: string): Kind[] {
  const undo = (id: string) => {
    if (id === failAt) return Promise.reject(new Error("stuck"));
    log.push(`undo ${id}`);
    return Promise.resolve();
  };
  const settle = (id: string) => {
    log.push(`settle ${id}`);
    return Promise.resolve();
  };
  return [
    { name: "a", undo },
    { name: "s", undo, settle },
  ];
}

describe("undoAll", () => {
  test("goes backwards, settles at the end, and forgets", async () => {
    const ledger = memoryLedger();
    for (const id of ["a:1", "s:2", "a:3"]) await ledger.before(id, null);
    const log: string[] = [];
    await undoAll(ledger, kinds(log), context);
    expect(log).toEqual(["undo a:3", "undo s:2", "undo a:1", "settle s:2"]);
    expect(ledger.ids()).toEqual([]);
    await undoAll(ledger, kinds(log), context);
    expect(log).toHaveLength(4);
  });

  test("stopped half-way, it goes on where it was", async () => {
    const ledger = memoryLedger();
    for (const id of ["a:1", "s:2", "a:3"]) await ledger.before(id, null);
    const log: string[] = [];
    expect(await failure(undoAll(ledger, kinds(log, "a:1"), context))).toEqual(new Error("stuck"));
    expect(ledger.ids()).toEqual(["a:1", "s:2"]);
    await undoAll(ledger, kinds(log), context);
    expect(log.slice(2)).toEqual(["undo s:2", "undo a:1", "settle s:2"]);
  });

  test("interrupted, it ends between two resources and goes on there the next time", async () => {
    const ledger = memoryLedger();
    for (const id of ["a:1", "s:2", "a:3"]) await ledger.before(id, null);
    const log: string[] = [];
    const abort = new AbortController();
    const progress = (line: string) => {
      if (line === "taking back s:2") abort.abort(new Error("interrupted"));
    };
    const undoing = undoAll(ledger, kinds(log), { progress, signal: abort.signal });
    expect(await failure(undoing)).toEqual(new Error("interrupted"));
    expect(log).toEqual(["undo a:3", "undo s:2"]);
    await undoAll(ledger, kinds(log), context);
    expect(log.slice(2)).toEqual(["undo s:2", "undo a:1", "settle s:2"]);
    expect(ledger.ids()).toEqual([]);
  });

  test("an unknown kind stops it before anything is taken back", async () => {
    const ledger = memoryLedger();
    for (const id of ["x:1", "a:2"]) await ledger.before(id, null);
    const log: string[] = [];
    expect(String(await failure(undoAll(ledger, kinds(log), context)))).toContain("x:1");
    expect(log).toEqual([]);
  });
});
