import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { paths } from "../../src/core/paths.ts";
import { compareServers, repairServers } from "../../src/operations/influxdb.ts";

const io = {
  signal: new AbortController().signal,
  progress: () => undefined,
  confirm: () => Promise.reject(new Error("nothing is asked")),
} as never;
const request = { from: undefined, to: undefined, contents: false, fast: false };

test("a repair of a time that is none is wrong usage, before anything is asked of anybody", async () => {
  const ahead = Date.now() + 3_600_000;
  for (const run of [repairServers, compareServers]) {
    await expect(run({ ...request, from: ahead }, io)).rejects.toMatchObject({
      code: "usage.range",
      exit: 2,
      message: expect.stringContaining("--from is not before now"),
    });
    await expect(run({ ...request, from: ahead, to: ahead - 1 }, io)).rejects.toMatchObject({
      code: "usage.range",
      message: expect.stringContaining("--from is not before --to"),
    });
  }
});

/** As whoever runs the tests: root, on a machine that is in no cluster, or somebody else. */
test("a repair where there is no cluster says so, as a comparison does, and leaves no lock behind", async () => {
  const isThere = existsSync(paths.run);
  const why = await compareServers(request, io).catch((error: { code: string }) => error.code);
  expect(["node.no_cluster", "node.not_root"]).toContain(why as string);
  await expect(repairServers(request, io)).rejects.toMatchObject({ code: why });
  expect(existsSync(paths.run)).toBe(isThere);
});
