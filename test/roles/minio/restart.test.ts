import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dropRestart, lacking, orderedRestart } from "../../../src/roles/minio/restart.ts";
import { storeContext, storeNode } from "./context.ts";

const [old, next] = ["a".repeat(64), "b".repeat(64)];

describe("whom a restart with another program waits for", () => {
  test.each([
    ["nobody: all have it", [next, next, next], []],
    ["those that have the old one", [next, old, next], ["node2"]],
    ["those that have none yet", [next, null, old], ["node2", "node3"]],
    ["not this node", [old, next, next], []],
  ] as const)("%s", (_, binaries, names) => {
    const members = binaries.map((binary, i) => storeNode(i + 1, { binary }));
    expect(lacking(storeContext(members), next)).toEqual([...names]);
  });

  test("one that is dead, by what it last said, and one that has said nothing", () => {
    const members = [
      storeNode(1, { binary: next }),
      storeNode(2, { binary: old, liveness: "dead" }),
      storeNode(3, { silent: true }),
    ];
    expect(lacking(storeContext(members), next)).toEqual(["node2", "node3"]);
  });
});

describe("an order to restart", () => {
  let directory: string;
  let path: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "chime-restart-"));
    path = join(directory, "minio-restart");
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("is there until it is dropped", async () => {
    expect(orderedRestart(path)).toBeNull();
    await writeFile(path, `${next}\n`);
    expect(orderedRestart(path)).toBe(next);
    await dropRestart(path);
    await dropRestart(path);
    expect(orderedRestart(path)).toBeNull();
  });
});
