import { expect, test } from "bun:test";
import { warnAhead } from "../../src/operations/preflight.ts";
import { storeContext, storeNode } from "../roles/minio/context.ts";

async function warned(toml: string, taken: readonly "minio"[] = []): Promise<string[]> {
  const lines: string[] = [];
  await warnAhead(storeContext([storeNode(1)], toml), taken, {
    signal: new AbortController().signal,
    progress() {},
    note() {},
    warn: (line) => lines.push(line),
    confirm: () => Promise.resolve(false),
  });
  return lines;
}

test("a program that is not here is told when the cluster is made, by init, not first when a node joins", async () => {
  const missing = 'engine = "minio"\nbinary = "/nowhere/minio"';
  expect(await warned(missing)).toEqual([
    "minio.binary: there is no /nowhere/minio; before this node joins: copy the server's program to /nowhere/minio on each node",
  ]);
  expect(await warned(missing, ["minio"])).toEqual([]);
});

test("an engine that cannot be installed is told, too; what is fine is not", async () => {
  expect(await warned('engine = "minio"')).toEqual([expect.stringContaining("source only")]);
  expect(await warned("nodes = 2")).toEqual([]);
});
