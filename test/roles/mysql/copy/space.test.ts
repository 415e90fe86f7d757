import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mariadbBackup } from "../../../../src/roles/mysql/engine/mariadb-backup.ts";
import { dataBytes, requireSpace, size } from "../../../../src/roles/mysql/copy/space.ts";

let data: string;
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "chime-space-"));
  for (const name of ["chime", ".chime-copy"]) await mkdir(join(data, name));
  const files = [
    "ibdata1",
    "chime/a.ibd",
    "chime-bin.000001",
    "chime-relay.000002",
    "ibtmp1",
    ".chime-copy/part",
  ];
  for (const file of files) await writeFile(join(data, file), Buffer.alloc(1000));
  await symlink("/usr/bin/env", join(data, "chime/link"));
});
afterAll(() => rm(data, { recursive: true }));

test("counted is what a copy brings: no logs, no rest of an older copy, and no link is followed", async () => {
  expect(await dataBytes(data, mariadbBackup.skips)).toBe(2000);
});

test("a copy has to fit beside the old data, or nothing begins", async () => {
  await requireSpace(data, 1000, "node1");
  const refusal = await requireSpace(data, 1e18, "node1").catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: "rebuild.no_space", exit: 3 });
});

test("sizes for people", () => {
  expect([0, 1, 5 << 20, 3 * 2 ** 30].map(size)).toEqual(["0 MiB", "1 MiB", "5 MiB", "3.0 GiB"]);
});
