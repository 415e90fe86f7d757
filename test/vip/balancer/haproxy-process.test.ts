import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isOf, mainProcess } from "../../../src/vip/balancer/haproxy-process.ts";

let directory: string;
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), "chime-"))));
afterAll(() => rm(directory, { recursive: true }));

/** What this process is of, as if it were a unit. */
const ownUnit = async () => {
  const [line = ""] = (await readFile("/proc/self/cgroup", "utf8")).split("\n");
  return basename(line.slice(line.indexOf(":/") + 1));
};

test("the process that its file names, where it is one of the unit's; a file that was left behind names none", async () => {
  const path = join(directory, "haproxy.pid");
  expect(await mainProcess("haproxy.service", path)).toBeUndefined();
  await writeFile(path, `${process.pid}\n`);
  expect(await mainProcess(await ownUnit(), path)).toBe(process.pid);
  expect(await mainProcess("haproxy.service", path)).toBeUndefined();
  await writeFile(path, "");
  expect(await mainProcess(await ownUnit(), path)).toBeUndefined();
});

test("a process that has ended is nobody's", async () => {
  const child = Bun.spawn(["true"]);
  await child.exited;
  expect(await isOf(await ownUnit(), child.pid)).toBe(false);
});
