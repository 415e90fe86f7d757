import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryFile } from "../../../src/cluster/vote/memory.ts";
import { replaces } from "../../../src/cluster/vote/term.ts";
import { term } from "../../roles/mysql/views.ts";

const index = (name: string) => Number(name.slice(-1));

describe("which term holds", () => {
  test("any replaces none", () => expect(replaces(term(1, "node2"), null, index)).toBe(true));
  test("the higher", () => expect(replaces(term(3, "node2"), term(2, "node1"), index)).toBe(true));
  test("not itself", () => expect(replaces(term(2, "node1"), term(2, "node1"), index)).toBe(false));
  test("of two equal ones the lower index", () => {
    expect(replaces(term(2, "node1"), term(2, "node2"), index)).toBe(true);
    expect(replaces(term(2, "node2"), term(2, "node1"), index)).toBe(false);
  });
});

describe("the memory on disk", () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), "chime-term-"))));
  afterEach(() => rm(directory, { recursive: true }));

  test("empty at first", async () => {
    expect(await new MemoryFile(directory).load()).toEqual({ term: null, proven: null });
  });
  test("comes back", async () => {
    const memory = { term: term(7, "node1", "node1", "node2"), proven: "life" };
    new MemoryFile(directory).save(memory);
    expect(await new MemoryFile(directory).load()).toEqual(memory);
    expect(await readdir(directory)).toEqual(["term.json"]);
  });
  test("a write that was cut short changes nothing", async () => {
    const file = new MemoryFile(directory);
    file.save({ term: term(1, "node1"), proven: null });
    await writeFile(join(directory, "term.json.new"), '{"term":{"te');
    expect((await file.load()).term).toEqual(term(1, "node1"));
  });
  test("a full disk: the reserve goes for the record, and is there again when there is room", async () => {
    const script = join(import.meta.dir, "full-disk.ts");
    // In a mount namespace of its own, so that nothing of its mounts is left or seen outside.
    const mounted = `mount -t tmpfs -o size=256k tmpfs "$1"; exec "$2" "$3" "$1"`;
    const words = ["sh", directory, process.execPath, script];
    const { stdout, exitCode } = Bun.spawnSync(["unshare", "--mount", "sh", "-ec", mounted, ...words]);
    expect(stdout.toString().trim().split("\n")).toEqual([
      "term 2 is on the disk",
      "term 3 is not: ENOSPC",
      "term 2 is on the disk",
      "term 4 is on the disk",
      "reserved again",
    ]);
    expect(exitCode).toBe(0);
  });
  for (const text of ["", "{}", '{"term":{"term":0,"writer":"a","in_sync":["a"]},"proven":null}']) {
    test(`a damaged one is an error, not a beginning: ${text}`, async () => {
      await writeFile(join(directory, "term.json"), text);
      expect(new MemoryFile(directory).load()).rejects.toThrow();
    });
  }
});
