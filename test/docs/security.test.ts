import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");
const text = await readFile(join(root, "docs/security.md"), "utf8");

/** Those of the two tables of who gets what, by their cells. */
const rows = text
  .slice(text.indexOf("## What listens"), text.indexOf("## Secrets"))
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) =>
    line
      .split("|")
      .map((cell) => cell.trim())
      .slice(1, -1),
  )
  .filter(([first = ""]) => !/^-|^Where$|^With$/.test(first));

/** As `cluster/tls`, or with words of its title: `cluster/tls` ("limits"). */
const named = /`([a-z]+(?:\/[a-z0-9-]+)+)`(?: \("([^"]+)"\))?/g;

test.each(rows.map((cells) => [cells[0] ?? "", cells.at(-1) ?? ""]))(
  "%s: what is said of it has tests, which are there",
  async (_, tests) => {
    const found = [...tests.matchAll(named)];
    expect(found).not.toEqual([]);
    for (const [, name, words = ""] of found) {
      const source = await readFile(join(root, `test/${name}.test.ts`), "utf8");
      expect(source).toContain(words.replace(/ …$/, ""));
    }
  },
);

test("the two tables are read in whole", () => {
  expect(rows.length).toBeGreaterThan(20);
});
