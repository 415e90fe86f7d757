import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changedAt, hashFiles, readStamp, revert, writeStamp } from "../../src/resources/stamp.ts";
import { waitUntil } from "../lab/wait.ts";

let directory: string;
let path: string;
let stamps: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "chime-stamp-"));
  path = join(directory, "service.conf");
  stamps = join(directory, "backups");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("remembers what a service accepted, and goes back to it", async () => {
  writeFileSync(path, "good\n", { mode: 0o640 });
  chmodSync(path, 0o640);
  await writeStamp(stamps, "x.service", { invocation: "abc", restart: [path], reload: [] });
  const stamp = await readStamp(stamps, "x.service");
  if (!stamp) throw new Error("no stamp");
  expect(stamp.restart).toBe(await hashFiles([path]));
  expect(await revert(stamp)).toEqual([]);
  writeFileSync(path, "bad\n");
  chmodSync(path, 0o600);
  expect(stamp.restart).not.toBe(await hashFiles([path]));
  expect(await revert(stamp)).toEqual([path]);
  expect(readFileSync(path, "utf8")).toBe("good\n");
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test("tells what was written after it was accepted, also when it is the same again", async () => {
  writeFileSync(path, "good\n");
  await writeStamp(stamps, "x.service", { invocation: "abc", restart: [], reload: [path] });
  const stamp = await readStamp(stamps, "x.service");
  expect(await changedAt([path])).toBeLessThanOrEqual(stamp?.acceptedAt ?? 0);
  await waitUntil("the file system's clock to go on", 1_000, async () => {
    writeFileSync(path, "good\n");
    return (await changedAt([path])) > (stamp?.acceptedAt ?? Infinity);
  });
});

test("an unreadable stamp is none", async () => {
  expect(await readStamp(stamps, "x.service")).toBeUndefined();
  await writeStamp(stamps, "x.service", { invocation: "abc", restart: [], reload: [] });
  for (const text of ["", "{", "{}", '{"invocation":1}']) {
    writeFileSync(join(stamps, "x.service.json"), text);
    expect(await readStamp(stamps, "x.service")).toBeUndefined();
  }
});

test("a missing file has a hash and no age", async () => {
  const absent = await hashFiles([path]);
  expect(await changedAt([path])).toBe(0);
  writeFileSync(path, "");
  expect(await hashFiles([path])).not.toBe(absent);
  expect(await changedAt([path, join(directory, "none")])).toBeGreaterThan(Date.now() - 60_000);
});
