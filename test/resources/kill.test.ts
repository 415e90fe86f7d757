import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "../plan/random.ts";
import { makeTree, snapshot } from "./tree.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "chime-kill-"));
  makeTree(root);
});
afterEach(() => rmSync(root, { recursive: true }));

function child(verb: string) {
  return Bun.spawn([process.execPath, join(import.meta.dir, "child.ts"), root, verb], {
    stdout: "ignore",
    stderr: "inherit",
  });
}

/** Runs the verb, killed at some moment of its life. */
async function killed(verb: string, afterMs: number): Promise<void> {
  const process = child(verb);
  await Promise.race([process.exited, Bun.sleep(afterMs)]);
  process.kill("SIGKILL");
  await process.exited;
}

test("killed at any moment, apply and reset reach the same state at the next run", async () => {
  const tree = join(root, "tree");
  const bare = snapshot(tree);
  const started = performance.now();
  expect(await child("apply").exited).toBe(0);
  const wholeMs = performance.now() - started;
  const applied = snapshot(tree);
  expect(applied).not.toEqual(bare);
  expect(await child("undo").exited).toBe(0);
  expect(snapshot(tree)).toEqual(bare);

  const next = random(3);
  // The first half of a run's life is the start of the runtime.
  const moment = () => wholeMs * (0.4 + next(70) / 100);
  for (let round = 0; round < 12; round++) {
    await killed("apply", moment());
    if (round % 3 === 0) await killed("apply", moment());
    if (round % 2 === 0) {
      expect(await child("apply").exited).toBe(0);
      expect(snapshot(tree)).toEqual(applied);
    }
    await killed("undo", moment());
    expect(await child("undo").exited).toBe(0);
    expect(snapshot(tree)).toEqual(bare);
  }
}, 60_000);
