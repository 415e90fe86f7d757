import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine, Tail } from "../../../../src/roles/mysql/engine/types.ts";
import { SavedExtras } from "../../../../src/roles/mysql/extras/saved.ts";
import type { Product } from "../../../../src/host/catalog.ts";

const dayMs = 24 * 3_600_000;
const tail: Tail = { files: ["bin.1"], offset: 4, at: 1_700_000_000, gtids: ["0-1-7", "0-1-8"] };
const other = { name: "node2", contents: "0-1-6" };

let directory: string;
let now: number;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "chime-extras-")), "extras");
  now = Date.now();
});
afterEach(() => rm(join(directory, ".."), { recursive: true }));

function saved(): SavedExtras {
  return new SavedExtras("node1", { wall: () => now }, directory);
}

/** A node whose binary logs hold `found`, printed by `script`. */
function node(found: Tail | undefined, script = "echo '### INSERT'") {
  const product = { unit: "x", user: "daemon", paths: { binlog: "/bin/sh" } } as unknown as Product;
  const engine = {
    tail: {
      find: async () => found,
      dump: (program: string) => [program, "-c", script],
      inert: { line: /^SET/, put: "-- " },
    },
  } as unknown as Engine;
  return { engine, layout: { data: "/nowhere", product } };
}

// Reading another user's logs as that user takes root.
describe.skipIf(process.getuid?.() !== 0)("saving", () => {
  test("readable SQL with its GTIDs, for root alone", async () => {
    const file = await saved().save(node(tail), other);
    expect(file).toBe(join(directory, "mysql-20231114T221320Z-0-1-7-2.sql"));
    expect(await readFile(file as string, "utf8")).toMatch(
      /^-- 2 transactions that node1 had and node2 did not: 0-1-7, 0-1-8\n[^]*### INSERT\n$/,
    );
    expect([(await stat(directory)).mode & 0o777, (await stat(file as string)).mode & 0o777]).toEqual([
      0o700, 0o600,
    ]);
  });

  test("nothing extra, no file", async () => {
    expect(await saved().save(node(undefined), other)).toBeUndefined();
    expect(saved().problems()).toEqual([]);
  });

  test("once for the same transactions, also over a restart", async () => {
    const first = saved();
    await first.save(node(tail), other);
    const again = node(tail, "exit 1");
    expect(await first.save(again, other)).toContain("0-1-7-2.sql");
    const later = saved();
    await later.load();
    expect(await later.save(again, other)).toContain("0-1-7-2.sql");
  });

  test("whole or not at all", async () => {
    const failure = await saved()
      .save(node(tail, "echo some; echo 'no such file' >&2; exit 1"), other)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "mysql.extras_unsaved" });
    expect(await readdir(directory)).toEqual([]);
  });

  test("half an event at the end is what a kill leaves", async () => {
    const script = "echo '### INSERT'; echo 'ERROR: Error in Log_event::read_log_event()' >&2; exit 1";
    expect(await saved().save(node(tail, script), other)).toBeString();
  });

  test("told for a day, the newest by name", async () => {
    const all = saved();
    const old = (await all.save(node(tail), other)) as string;
    await utimes(old, now / 1000, now / 1000);
    now += dayMs / 2;
    const file = (await all.save(node({ ...tail, gtids: ["0-1-9"] }), other)) as string;
    expect(all.problems()).toMatchObject([
      { code: "mysql.extras_saved", severity: "warning", node: "node1" },
    ]);
    expect(all.problems()[0]?.message).toEndWith(`${file}; 1 more beside it`);
    now += dayMs / 2;
    expect(all.problems()[0]?.message).toEndWith(file);
    now += dayMs / 2;
    expect(all.problems()).toEqual([]);
  });
});
