import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger } from "../../src/plan/ledger.ts";
import { failure } from "./failure.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "chime-ledger-"));
  file = join(directory, "state", "ledger.jsonl");
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("ledger", () => {
  test("looking writes nothing", async () => {
    const ledger = await openLedger(file);
    expect(ledger.ids()).toEqual([]);
    expect(await Bun.file(file).exists()).toBe(false);
  });

  test("keeps the first `before`, the last `done`, and the order of first touch", async () => {
    const ledger = await openLedger(file);
    await ledger.before("a:1", { was: 1 });
    await ledger.before("b:2", undefined);
    await ledger.before("a:1", { was: "later" });
    await ledger.done("a:1", "x");
    await ledger.done("a:1", "y");
    await ledger.done("c:3", "never touched");
    for (const view of [ledger, await openLedger(file)]) {
      expect(view.ids()).toEqual(["a:1", "b:2"]);
      expect(view.noted("a:1")).toEqual({ was: 1 });
      expect(view.noted("b:2")).toBeNull();
      expect(view.noted("c:3")).toBeUndefined();
      expect(view.reached("a:1")).toBe("y");
      expect(view.reached("c:3")).toBe("never touched");
    }
    await ledger.forget("a:1");
    expect((await openLedger(file)).ids()).toEqual(["b:2"]);
    expect(ledger.reached("a:1")).toBeUndefined();
  });

  test("is for root's eyes", async () => {
    const ledger = await openLedger(file);
    await ledger.before("a:1", null);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(ledger.backups).mode & 0o777).toBe(0o700);
  });

  test("lines of simultaneous notes do not mix", async () => {
    const ledger = await openLedger(file);
    const ids = Array.from({ length: 40 }, (_, at) => `k:${at}`);
    await Promise.all(ids.map((id) => ledger.before(id, { text: "x".repeat(3_000) })));
    expect((await openLedger(file)).ids()).toEqual(ids);
  });

  test("cut at any byte it can be read, knows all whole lines, and goes on", async () => {
    const ledger = await openLedger(file);
    await ledger.before("a:1", { text: "ü".repeat(10) });
    await ledger.done("a:1", "x");
    const whole = readFileSync(file);
    const firstLine = whole.indexOf(10) + 1;
    for (let size = 0; size <= whole.length; size++) {
      writeFileSync(file, whole);
      truncateSync(file, size);
      const cut = await openLedger(file);
      expect(cut.ids()).toEqual(size >= firstLine ? ["a:1"] : []);
      expect(cut.reached("a:1")).toBe(size === whole.length ? "x" : undefined);
      await cut.before("b:2", size);
      expect((await openLedger(file)).noted("b:2")).toBe(size);
    }
  });

  test("a broken line in the middle is told, not skipped", async () => {
    const ledger = await openLedger(file);
    await ledger.before("a:1", null);
    for (const line of ["{]", "{}", '{"op":"before"}', "[]"]) {
      writeFileSync(file, `${line}\n{"op":"done","id":"a:1","desired":"x"}\n`);
      expect(await failure(openLedger(file))).toMatchObject({ code: "ledger.corrupt" });
    }
  });
});
