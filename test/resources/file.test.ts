import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger, type Ledger } from "../../src/plan/ledger.ts";
import { undoAll } from "../../src/plan/reset.ts";
import { apply, plan } from "../../src/plan/run.ts";
import { directory as directoryOf } from "../../src/resources/directory.ts";
import { paths } from "../../src/core/paths.ts";
import { file, type FileOptions } from "../../src/resources/file.ts";
import { kinds } from "../../src/resources/index.ts";
import type { Resource } from "../../src/resources/types.ts";

let directory: string;
let path: string;
let ledger: Ledger;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "chime-file-"));
  path = join(directory, "file");
  ledger = await openLedger(join(directory, "state/ledger.jsonl"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const run = (...resources: Resource[]) =>
  apply(resources, ledger, { signal: new AbortController().signal, progress: () => undefined });
const undo = () => undoAll(ledger, kinds, { progress: () => undefined });

describe("file", () => {
  test("is made with its mode and missing directories, and taken back with them", async () => {
    path = join(directory, "a/b/file");
    const wanted = file({ path, content: "x\n", mode: 0o600 });
    expect((await plan([wanted], ledger))[0]).toMatchObject({
      action: "create",
      diff: "@@ -0,0 +1,1 @@\n+x",
    });
    expect(existsSync(join(directory, "a"))).toBe(false);
    await run(wanted);
    expect(readFileSync(path, "utf8")).toBe("x\n");
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect((await run(wanted)).changes).toEqual([]);
    await undo();
    expect(existsSync(join(directory, "a"))).toBe(false);
  });

  test("what it replaced comes back with mode and owner, whatever was applied in between", async () => {
    writeFileSync(path, Buffer.from([0xff, 0, 10]));
    chmodSync(path, 0o4711);
    chownSync(path, 12, 34);
    chmodSync(path, 0o4711);
    await run(file({ path, content: "one\n" }));
    await run(file({ path, content: "two\n", mode: 0o640 }));
    expect(readFileSync(path, "utf8")).toBe("two\n");
    await undo();
    expect([...readFileSync(path)]).toEqual([0xff, 0, 10]);
    expect(statSync(path)).toMatchObject({ uid: 12, gid: 34 });
    expect(statSync(path).mode & 0o7777).toBe(0o4711);
  });

  test("a symbolic link is replaced, not followed, and comes back", async () => {
    const target = join(directory, "target");
    writeFileSync(target, "theirs\n");
    symlinkSync(target, path);
    await run(file({ path, content: "ours\n" }));
    expect(readFileSync(target, "utf8")).toBe("theirs\n");
    expect(readFileSync(path, "utf8")).toBe("ours\n");
    await undo();
    expect(readFileSync(path, "utf8")).toBe("theirs\n");
  });

  test.each<[string, () => void, string]>([
    ["content", () => writeFileSync(path, "hand\n"), "@@ -1,1 +1,1 @@\n-hand\n+x"],
    ["mode", () => chmodSync(path, 0o666), "mode 0666 → 0644"],
    ["owner", () => chownSync(path, 12, 34), "owner 12:34 → root:root"],
    ["a link", () => (rmSync(path), symlinkSync("elsewhere", path)), "link becomes a file"],
  ])("drift of %s is shown and mended", async (_name, drift, diff) => {
    const wanted = file({ path, content: "x\n" });
    await run(wanted);
    drift();
    expect(await plan([wanted], ledger)).toMatchObject([{ action: "update", cause: "drift", diff }]);
    await run(wanted);
    expect(await plan([wanted], ledger)).toEqual([]);
  });

  test("a secret's content is in no diff", async () => {
    const secret = { path, content: "password=x\n", secret: true };
    expect((await plan([file(secret)], ledger))[0]?.diff).toBe("(content hidden)");
    await run(file(secret));
    expect((await plan([file({ ...secret, content: "y" })], ledger))[0]?.diff).toBe("(content hidden)");
  });

  test("an owner that does not exist yet is a failure of apply, not of plan", async () => {
    const wanted = file({ path, content: "", owner: "nobody-like-that" });
    expect((await plan([wanted], ledger))[0]?.diff).toBe("(empty)");
    expect((await run(wanted)).failed[0]?.error.code).toBe("host.no_such_user");
    expect(existsSync(path)).toBe(false);
  });

  test.each<[string, FileOptions["check"], boolean]>([
    ["exit 0", { argv: ["grep", "-q", "good", "{}"] }, true],
    ["another exit", { argv: ["grep", "-q", "bad", "{}"] }, false],
    ["a word on stderr", { argv: ["sh", "-c", "echo hm >&2", "{}"], silent: true }, false],
    ["a word on stderr where that is no matter", { argv: ["sh", "-c", "echo hm >&2"] }, true],
    ["no such program", { argv: ["no-such-program", "{}"] }, false],
  ])("checked before the swap: %s", async (_name, check, passes) => {
    writeFileSync(path, "old\n");
    const wasThere = existsSync(paths.run);
    const { failed } = await run(file({ path, content: "good\n", ...(check ? { check } : {}) }));
    expect(failed.map(({ error }) => error.code)).toEqual(passes ? [] : ["file.check_failed"]);
    expect(readFileSync(path, "utf8")).toBe(passes ? "good\n" : "old\n");
    expect(readdirSync(directory).filter((name) => name !== "state")).toEqual(["file"]);
    expect(existsSync(paths.run)).toBe(wasThere);
  });

  test("a checker for what replaces another file is not asked about a new one", async () => {
    const check = { argv: ["grep", "-q", "bad", "{}"], replacing: true };
    expect((await run(file({ path, content: "good\n", check }))).failed).toEqual([]);
    expect((await run(file({ path, content: "better\n", check }))).failed[0]?.error.code).toBe(
      "file.check_failed",
    );
    expect(readFileSync(path, "utf8")).toBe("good\n");
  });

  test("a directory in its place is refused", async () => {
    mkdirSync(path);
    expect((await run(file({ path, content: "" }))).failed[0]?.error.code).toBe("file.not_a_file");
  });
});

describe("directory", () => {
  test("is made, mended, and removed when empty", async () => {
    path = join(directory, "a/b");
    const wanted = directoryOf({ path, mode: 0o750 });
    await run(wanted);
    expect(statSync(path).mode & 0o7777).toBe(0o750);
    chmodSync(path, 0o700);
    expect((await plan([wanted], ledger))[0]).toMatchObject({
      cause: "drift",
      diff: "0:0 700 → root:root 750",
    });
    await run(wanted);
    await undo();
    expect(existsSync(join(directory, "a"))).toBe(false);
  });

  test("with something in it, it stays", async () => {
    path = join(directory, "a/b");
    await run(directoryOf({ path }));
    writeFileSync(join(path, "data"), "precious");
    await undo();
    expect(readFileSync(join(path, "data"), "utf8")).toBe("precious");
  });

  test("one that was there gets its mode and owner back", async () => {
    mkdirSync(path, { mode: 0o711 });
    chownSync(path, 12, 34);
    await run(directoryOf({ path, mode: 0o755 }));
    await undo();
    expect(statSync(path)).toMatchObject({ uid: 12, gid: 34 });
    expect(statSync(path).mode & 0o7777).toBe(0o711);
  });
});
