import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setLogWriter } from "../../../src/core/log.ts";
import { Debt } from "../../../src/roles/minio/guard/debt.ts";

let directory: string;
let path: string;
const said: string[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-debt-"));
  path = join(directory, "state/minio-owes");
  said.length = 0;
  // The log may say first how often another test's line was repeated.
  setLogWriter((line) => {
    if (line.includes("drives")) said.push(line);
  });
});
afterEach(async () => {
  setLogWriter((line) => process.stderr.write(`${line}\n`));
  await rm(directory, { recursive: true });
});

test("is known after a restart until it is settled", async () => {
  const debt = new Debt(path);
  expect(debt.isOwed).toBe(false);
  await debt.owe();
  expect(new Debt(path).isOwed).toBe(true);
  await debt.settle();
  expect([debt.isOwed, new Debt(path).isOwed]).toEqual([false, false]);
});

test("a disk that does not take it stops nobody, is told of once, and gets it later", async () => {
  await writeFile(dirname(path), "");
  const debt = new Debt(path);
  await debt.owe();
  await debt.owe();
  expect(debt.isOwed).toBe(true);
  expect(said).toEqual([expect.stringContaining("that drives were away is not kept")]);
  await rm(dirname(path));
  await debt.keep();
  expect(new Debt(path).isOwed).toBe(true);
});

test.each(["owe", "settle"] as const)("what is said while it is written counts: %s", async (last) => {
  const debt = new Debt(path);
  const first = last === "owe" ? "settle" : "owe";
  await Promise.all([debt[last](), debt[first](), debt[last]()]);
  expect([debt.isOwed, existsSync(path)]).toEqual([last === "owe", last === "owe"]);
});
