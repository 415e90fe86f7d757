import { expect, test } from "bun:test";
import { renderLicenses } from "../../src/bundle/licenses.ts";

test("a licence stands there once, under all that it is for; what brings none says so", () => {
  const text = renderLicenses([
    { title: "a 1", text: "Free.\n" },
    { title: "b 2", text: "" },
    { title: "c 3", text: "\nFree." },
  ]);
  const rule = "=".repeat(80);
  expect(text).toBe(`${rule}\na 1\nc 3\n${rule}\n\nFree.\n\n${rule}\nb 2\n${rule}\n\nIt brings no text.\n`);
});
