import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerSecret } from "../../src/core/mask.ts";
import { diffTexts } from "../../src/plan/diff.ts";
import { random } from "./random.ts";

const count = (text: string) => text.split("\n").filter((line) => line.startsWith("@@")).length;

describe("diffTexts", () => {
  test.each<[string, string, string, string[]]>([
    ["equal", "a\n", "a\n", []],
    ["new", "", "a\nb\n", ["@@ -0,0 +1,2 @@", "+a", "+b"]],
    ["emptied", "a\n", "", ["@@ -1,1 +0,0 @@", "-a"]],
    ["one line", "a\nb\nc\n", "a\nx\nc\n", ["@@ -1,3 +1,3 @@", " a", "-b", "+x", " c"]],
    [
      "a last line without its end",
      "a",
      "a\n",
      ["@@ -1,1 +1,1 @@", "-a", "\\ No newline at end of file", "+a"],
    ],
  ])("%s", (_name, before, after, wanted) => {
    expect(diffTexts(before, after)).toBe(wanted.join("\n"));
  });

  test("far changes are two hunks, near ones are one", () => {
    const lines = Array.from({ length: 30 }, (_, at) => `${at}`);
    const changed = (...at: number[]) => lines.map((line, n) => (at.includes(n) ? "x" : line)).join("\n");
    expect(count(diffTexts(changed(), changed(3, 20)))).toBe(2);
    expect(count(diffTexts(changed(), changed(3, 9)))).toBe(1);
  });

  test("secrets are masked", () => {
    const secret = registerSecret("0123456789abcdefSECRETdiff");
    expect(diffTexts("", `password=${secret}\n`)).not.toContain(secret);
  });

  test("what patch(1) makes of it is the new text", async () => {
    const directory = mkdtempSync(join(tmpdir(), "chime-diff-"));
    const next = random(7);
    const text = () => Array.from({ length: next(25) }, () => `${"abc"[next(3)] ?? ""}\n`).join("");
    for (let round = 0; round < 60; round++) {
      const before = text();
      const after = text();
      const diff = diffTexts(before, after);
      if (!diff) continue;
      const file = join(directory, "file");
      writeFileSync(file, before);
      const patch = Bun.spawnSync(["patch", "-s", "-u", file], {
        stdin: new TextEncoder().encode(`--- a\n+++ b\n${diff}\n`),
      });
      expect(patch.exitCode).toBe(0);
      // patch(1) removes a file that became empty.
      const result = (await Bun.file(file).exists()) ? await Bun.file(file).text() : "";
      expect(result).toBe(after);
    }
    rmSync(directory, { recursive: true });
  });
});
