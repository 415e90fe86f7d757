import { afterAll, expect, test } from "bun:test";
import { mkdtemp, open, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { fileError, readText, temporaryOf, writeAt, writeAtomically } from "../../src/host/files.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-files-"));
afterAll(() => rm(directory, { recursive: true }));
const path = (name: string) => join(directory, name);
const root = { mode: 0o600, uid: 0, gid: 0 };

/** What a service's user can put where root reads and writes: /var/lib/mysql belongs to mysql. */
test("reading a FIFO or a device that somebody put there ends at once", async () => {
  await exec(["mkfifo", path("fifo")]);
  await symlink("/dev/zero", path("zero"));
  for (const name of ["fifo", "zero"]) {
    await expect(readText(path(name))).rejects.toMatchObject({ code: "file.not_a_file" });
  }
  await writeFile(path("large"), "x".repeat(100));
  await expect(readText(path("large"), 99)).rejects.toMatchObject({ code: "file.too_large" });
  expect(await readText(path("none"))).toBeUndefined();
  expect(await readText("/proc/self/comm")).not.toBe("");
});

test("a write follows no link that somebody put in its place, or in that of its temporary file", async () => {
  await writeFile(path("victim"), "before", { mode: 0o644 });
  await symlink(path("victim"), path("file"));
  await symlink(path("victim"), temporaryOf(path("file")));
  await writeAtomically(path("file"), "secret", root);
  expect(await readText(path("victim"))).toBe("before");
  expect(await readText(path("file"))).toBe("secret");
  expect((await stat(path("file"))).mode & 0o777).toBe(0o600);
});

test("what the kernel takes in parts is written to its end", async () => {
  const bytes = Buffer.from("a disk that is nearly full");
  const there = Buffer.alloc(bytes.length + 2);
  const write = (from: Buffer, at: number, length: number, position: number) => {
    const bytesWritten = Math.min(length, 7);
    from.copy(there, position, at, at + bytesWritten);
    return Promise.resolve({ bytesWritten, buffer: from });
  };
  await writeAt({ write } as unknown as Parameters<typeof writeAt>[0], bytes, 2);
  expect(there.subarray(2).toString()).toBe(bytes.toString());
});

test("an error of the system's is said in its words, with the path that was meant", async () => {
  const error: unknown = await open(path("none/a"), "r").catch((error: unknown) => error);
  expect(fileError("/what/was/meant", error)).toMatchObject({
    code: "file.failed",
    message: "/what/was/meant: no such file or directory",
  });
});
