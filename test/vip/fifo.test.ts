import { afterAll, expect, test } from "bun:test";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lineSplitter, parseNotification, readNotifications, type Notification } from "../../src/vip/fifo.ts";
import { until } from "./until.ts";

const base = mkdtempSync(join(tmpdir(), "chime-fifo-"));
afterAll(() => rmSync(base, { recursive: true }));

test.each([
  ['INSTANCE "mysql" MASTER 150', "MASTER"],
  ['INSTANCE "mysql" BACKUP 100\r', "BACKUP"],
  ['INSTANCE "mysql" FAULT 150', "FAULT"],
  ['INSTANCE "mysql" STOP 150', "FAULT"],
  ['INSTANCE "mysql" DELETED 150', "FAULT"],
  ['INSTANCE "mysql" MASTER', "MASTER"],
] as const)("%p tells %s", (line, state) => {
  expect(parseNotification(line)).toEqual({ instance: "mysql", state });
});

test.each([
  'INSTANCE "mysql" MASTER_RX_LOWER_PRI 150',
  'INSTANCE "mysql" MASTER_PRIORITY 150',
  'GROUP "mysql" MASTER 0',
  "VS [192.168.201.15]:tcp:80 UP",
  'INSTANCE "mysql" constructor 1',
  'INSTANCE "my\u0000sql" MASTER 1',
  'INSTANCE "" MASTER 1',
  "",
])("%p is no state change", (line) => {
  expect(parseNotification(line)).toBeUndefined();
});

/** Deterministic noise: mulberry32. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

test("lines come out whole however the stream is cut, and overlong ones not at all", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const lines = Array.from({ length: 20 }, (_, i) =>
      next() < 0.2 ? "x".repeat(257 + Math.floor(next() * 900)) : `INSTANCE "i${i}" MASTER ${i}`,
    );
    const stream = `${lines.join("\n")}\n`;
    const split = lineSplitter();
    const out: string[] = [];
    for (let at = 0; at < stream.length;) {
      const size = 1 + Math.floor(next() * 80);
      out.push(...split(stream.slice(at, at + size)));
      at += size;
    }
    expect(out).toEqual(lines.filter((line) => line.length <= 256));
  }
});

test("any bytes at all give only notifications of known states", () => {
  const next = random(42);
  const alphabet = 'INSTANCE "mysql" MASTER150\n\0"\\ÿ';
  for (let i = 0; i < 5000; i++) {
    const line = Array.from(
      { length: Math.floor(next() * 60) },
      () => alphabet[Math.floor(next() * alphabet.length)],
    );
    const told = parseNotification(line.join(""));
    if (told) expect(["MASTER", "BACKUP", "FAULT"]).toContain(told.state);
  }
});

test("the reader makes the FIFO, lives through writers that come and go, and stops", async () => {
  const path = join(base, "run", "notify.fifo");
  const seen: Notification[] = [];
  const reader = await readNotifications((notification) => seen.push(notification), path);
  expect(statSync(path).isFIFO()).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  for (const state of ["BACKUP", "MASTER"] as const) {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(fd, `INSTANCE "mysql" ${state} 150\n`);
    closeSync(fd);
    await until(() => seen.at(-1)?.state === state);
  }
  expect(seen).toEqual([
    { instance: "mysql", state: "BACKUP" },
    { instance: "mysql", state: "MASTER" },
  ]);
  await reader.close();
});

test("of what was written while nobody read, only the newest state of each instance is told", async () => {
  const path = join(base, "backlog", "notify.fifo");
  await (await readNotifications(() => undefined, path)).close();
  // keepalived keeps the FIFO open for reading and writing: what it wrote stays.
  const keepalived = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  writeSync(keepalived, 'INSTANCE "mysql" BACKUP 1\nINSTANCE "minio" FAULT 1\nINSTANCE "mysql" MASTER 1\n');
  const seen: Notification[] = [];
  const reader = await readNotifications((notification) => seen.push(notification), path);
  await until(() => seen.length >= 2);
  expect(seen).toEqual([
    { instance: "mysql", state: "MASTER" },
    { instance: "minio", state: "FAULT" },
  ]);
  await reader.close();
  closeSync(keepalived);
});

test("whoever is told may fail: the next change is told all the same", async () => {
  const path = join(base, "failing", "notify.fifo");
  const seen: string[] = [];
  const reader = await readNotifications(({ state }) => {
    seen.push(state);
    throw new Error("not there yet");
  }, path);
  for (const state of ["MASTER", "FAULT"]) {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(fd, `INSTANCE "mysql" ${state} 150\n`);
    closeSync(fd);
    await until(() => seen.at(-1) === state);
  }
  expect(seen).toEqual(["MASTER", "FAULT"]);
  await reader.close();
});

test("something else at the path is an error with a remedy", async () => {
  const path = join(base, "file.fifo");
  writeFileSync(path, "");
  const error = await readNotifications(() => undefined, path).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "vip.fifo", remedy: expect.stringContaining("remove it") });
});
