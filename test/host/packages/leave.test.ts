import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../../src/core/exec.ts";
import { failure } from "../../plan/failure.ts";

/** What an interrupted install relies on: dpkg killed half-way may be beyond repair. */
test.each([
  ["leave", true],
  ["kill", false],
] as const)("an abort with onAbort=%s: the child finishes: %s", async (onAbort, finishes) => {
  const directory = mkdtempSync(join(tmpdir(), "chime-leave-"));
  const [begun, go, done] = ["begun", "go", "done"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const controller = new AbortController();
  const script = `exec >"$1/log" 2>&1; touch "$1/begun"; for i in $(seq 200); do [ -e "$1/go" ] && break; sleep 0.02; done; touch "$1/done"`;
  const child = exec(["sh", "-c", script, "sh", directory], { signal: controller.signal, onAbort });
  while (!existsSync(begun)) await Bun.sleep(5);
  controller.abort(new Error("interrupted"));
  expect(await failure(child)).toEqual(new Error("interrupted"));
  await Bun.write(go, "");
  for (let tries = 0; tries < (finishes ? 400 : 20) && !existsSync(done); tries++) await Bun.sleep(5);
  expect(existsSync(done)).toBe(finishes);
  rmSync(directory, { recursive: true });
});
