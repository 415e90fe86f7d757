import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger, type Ledger } from "../../src/plan/ledger.ts";
import { undoAll } from "../../src/plan/reset.ts";
import { apply, plan } from "../../src/plan/run.ts";
import { kinds } from "../../src/resources/index.ts";
import { vendorKey } from "../../src/resources/vendor-key.ts";
import { version6 } from "../host/openpgp/sample.ts";

let directory: string;
let path: string;
let served: string;
let ledger: Ledger;
let said: string[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "chime-key-"));
  chmodSync(directory, 0o755);
  path = join(directory, "keyrings/key.asc");
  served = join(directory, "served");
  said = [];
  writeFileSync(served, version6.text);
  ledger = await openLedger(join(directory, "state/ledger.jsonl"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const week = 7 * 86_400_000;
/** apt's `copy:` stands for https: the same downloader, without a server. */
const key = (now = week, fingerprint = version6.fingerprint) =>
  vendorKey({ path, url: `copy:${served}`, fingerprint, family: "debian", now });
const run = (resource = key()) =>
  apply([resource], ledger, { signal: new AbortController().signal, progress: (line) => said.push(line) });

test("it is fetched, checked, written for apt's own user, and taken back with its directory", async () => {
  expect((await run()).failed).toEqual([]);
  expect(readFileSync(path, "utf8")).toContain("BEGIN PGP PUBLIC KEY BLOCK");
  expect(statSync(path).mode & 0o7777).toBe(0o644);
  expect((await run()).changes).toEqual([]);
  await undoAll(ledger, kinds, { progress: () => undefined });
  expect(existsSync(join(directory, "keyrings"))).toBe(false);
});

test("another key than the pinned one leaves nothing behind", async () => {
  const { failed } = await run(key(week, "F".repeat(64)));
  expect(failed[0]?.error.code).toBe("packages.untrusted");
  expect(existsSync(path)).toBe(false);
});

test("a vendor that cannot be reached is named", async () => {
  rmSync(served);
  const { failed } = await run();
  expect(failed[0]?.error).toMatchObject({
    code: "packages.unreachable",
    message: expect.stringContaining(`copy:${served} cannot be fetched`),
  });
});

test("a file that is too large for a key is not taken", async () => {
  writeFileSync(served, "x".repeat(300 << 10));
  expect((await run()).failed[0]?.error.code).toBe("packages.unreachable");
  expect(existsSync(path)).toBe(false);
});

test("what somebody put in its place is replaced, and comes back at the end", async () => {
  await run();
  writeFileSync(path, "theirs");
  expect(await plan([key()], ledger)).toMatchObject([{ action: "update", cause: "drift" }]);
  await run();
  expect(readFileSync(path, "utf8")).toContain("BEGIN PGP");
});

test("a week later it is fetched again, as the spec would have it; what did not change is not written", async () => {
  await run();
  const { mtimeMs } = statSync(path);
  expect(await plan([key(2 * week)], ledger)).toMatchObject([{ cause: "spec", impact: "none" }]);
  expect((await run(key(2 * week))).failed).toEqual([]);
  expect(statSync(path).mtimeMs).toBe(mtimeMs);
  expect(await plan([key(2 * week)], ledger)).toEqual([]);
});

test("a vendor that cannot be reached then is told, and what is there stays", async () => {
  await run();
  rmSync(served);
  expect((await run(key(2 * week))).failed).toEqual([]);
  expect(said.at(-1)).toStartWith("the key that is there stays for now: ");
  expect(existsSync(path)).toBe(true);
});
