import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  acceptedOf,
  changedAt,
  hashFiles,
  readStamp,
  revert,
  writeStamp,
  type Stamp,
} from "../../src/resources/stamp.ts";
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
  await writeStamp(stamps, "x.service", { invocation: "abc", restart: [path], reload: [], secret: [] });
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

test("goes back to a program and to what tells of it, both or neither", async () => {
  const program = join(directory, "program");
  const replace = (content: string) => {
    writeFileSync(`${program}.next`, content);
    renameSync(`${program}.next`, program);
    writeFileSync(path, `hash of ${content}\n`);
  };
  const both = () => [readFileSync(program, "utf8"), readFileSync(path, "utf8")];
  const accept = async () => {
    const files = { restart: [path], reload: [], secret: [] };
    await writeStamp(stamps, "x.service", {
      invocation: "abc",
      ...files,
      programs: new Map([[path, program]]),
    });
    return (await readStamp(stamps, "x.service")) as Stamp;
  };
  replace("first");
  await accept();
  replace("second");
  const stamp = await accept();
  expect(await revert(await accept())).toEqual([]);
  replace("third");
  expect(await revert(stamp)).toEqual([program, path]);
  expect(both()).toEqual(["second", "hash of second\n"]);
  expect(await revert(stamp)).toEqual([]);
  // Whatever somebody does to what is kept.
  replace("third");
  rmSync(acceptedOf(program));
  expect(await revert(stamp)).toEqual([]);
  expect(both()).toEqual(["third", "hash of third\n"]);
  expect(readdirSync(directory).sort()).toEqual(["backups", "program", "service.conf"]);
});

test("goes back to no secret, of which it keeps no copy, and tells that one has changed", async () => {
  const secret = join(directory, "secret.env");
  writeFileSync(path, "good\n");
  writeFileSync(secret, "PASSWORD=first\n");
  const both = [secret, path];
  await writeStamp(stamps, "x.service", { invocation: "abc", restart: both, reload: [], secret: [secret] });
  const kept = readdirSync(stamps).map((name) => readFileSync(join(stamps, name), "utf8"));
  expect(kept.filter((text) => text.includes("first"))).toEqual([]);
  for (const one of both) writeFileSync(one, "changed\n");
  const stamp = await readStamp(stamps, "x.service");
  expect(await revert(stamp as Stamp)).toEqual([path]);
  expect(readFileSync(secret, "utf8")).toBe("changed\n");
  expect(stamp?.restart).not.toBe(await hashFiles(both));
});

test("tells what was written after it was accepted, also when it is the same again", async () => {
  writeFileSync(path, "good\n");
  await writeStamp(stamps, "x.service", { invocation: "abc", restart: [], reload: [path], secret: [] });
  const stamp = await readStamp(stamps, "x.service");
  expect(await changedAt([path])).toBeLessThanOrEqual(stamp?.acceptedAt ?? 0);
  await waitUntil("the file system's clock to go on", 1_000, async () => {
    writeFileSync(path, "good\n");
    return (await changedAt([path])) > (stamp?.acceptedAt ?? Infinity);
  });
});

test("an unreadable stamp is none", async () => {
  expect(await readStamp(stamps, "x.service")).toBeUndefined();
  await writeStamp(stamps, "x.service", { invocation: "abc", restart: [], reload: [], secret: [] });
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
