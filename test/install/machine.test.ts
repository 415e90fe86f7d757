import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec, type ExecResult } from "../../src/core/exec.ts";
import { makeTinyRelease, ReleaseServer } from "./release.ts";

/** What only root can build for a test: mounts in a namespace of their own, a system without glibc, another user. */
const withRoot = test.skipIf(process.getuid?.() !== 0);

let work: string;
let server: ReleaseServer;
let prefix: string;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "chime-node-machine-"));
  const served = join(work, "served");
  server = new ReleaseServer(served);
  await makeTinyRelease(served, { version: "2.0.0", baseUrl: server.url });
  // 8 MiB that do not pack: what fits packed and does not fit unpacked must be seen beforehand.
  const program = new Uint8Array(8 << 20);
  program.set(new TextEncoder().encode("#!/bin/sh\necho chime-node 3.0.0\nexit\n"));
  await makeTinyRelease(join(served, "large"), { version: "3.0.0", baseUrl: `${server.url}/large`, program });
});
afterAll(async () => {
  await server.stop();
  await rm(work, { recursive: true, force: true });
});
beforeEach(async () => {
  prefix = join(await mkdtemp(join(work, "case-")), "prefix");
  await mkdir(prefix);
});
afterEach(() => rm(prefix, { recursive: true, force: true }));

/** Runs install.sh after `prepare`, in a mount namespace that ends with it; then lists what is in the prefix. */
async function prepared(prepare: string, script = "served/install.sh"): Promise<ExecResult> {
  const lines = `set -e
    ${prepare}
    set +e
    sh "$@"; code=$?
    ls -A "${prefix}" >&2
    exit $code`;
  const command = [join(work, script), "--prefix", prefix];
  return exec(["unshare", "--mount", "sh", "-c", lines, "sh", ...command], { ok: "any" });
}

withRoot("a noexec /tmp does not matter", async () => {
  const answer = await prepared(`mount --bind /tmp /tmp
    mount -o remount,bind,noexec /tmp
    mount --bind "${work}" "${work}"
    mount -o remount,bind,exec "${work}"`);
  expect([answer.code, answer.stdout]).toEqual([
    0,
    `installed ${prefix}/bin/chime-node (chime-node 2.0.0)\n`,
  ]);
});

withRoot("a noexec prefix is said to be one, and is left as it was", async () => {
  const answer = await prepared(`mount -t tmpfs -o noexec tmpfs "${prefix}"`);
  expect([answer.code, answer.stdout]).toEqual([1, ""]);
  expect(answer.stderr.trimEnd().split("\n").at(-1)).toEndWith(
    `does not run on this machine (${prefix}/bin may be mounted noexec: then give --prefix)`,
  );
});

withRoot("too little space for what is in the file is seen before the download", async () => {
  server.asked.length = 0;
  const answer = await prepared(`mount -t tmpfs -o size=6m tmpfs "${prefix}"`, "served/large/install.sh");
  expect([answer.code, answer.stderr]).toEqual([
    3,
    `install.sh: ${prefix} has 6 MiB free and this needs 9 MiB: free some, or give --prefix\n`,
  ]);
  expect(server.asked).toEqual([]);
});

withRoot("a read-only prefix is refused in one sentence", async () => {
  const answer = await prepared(`mount -t tmpfs -o ro tmpfs "${prefix}"`);
  expect([answer.code, answer.stderr]).toEqual([
    1,
    `install.sh: ${prefix}/bin cannot be made (Read-only file system): give --prefix\n`,
  ]);
});

withRoot("a virtual CPU without SSE4.2 is refused", async () => {
  if (process.arch !== "x64") return;
  const cpuinfo = join(work, "cpuinfo");
  await writeFile(cpuinfo, "flags\t\t: fpu sse sse2 sse4_1\n");
  const answer = await prepared(`mount --bind "${cpuinfo}" /proc/cpuinfo`);
  expect([answer.code, answer.stderr]).toEqual([
    3,
    "install.sh: this CPU shows no SSE4.2, which chime-node needs; in a VM, set the CPU type to host\n",
  ]);
});

withRoot("a system with musl is refused", async () => {
  const root = join(work, "musl");
  await mkdir(join(root, "bin"), { recursive: true });
  await mkdir(join(root, "lib"), { recursive: true });
  await writeFile(join(root, "lib/ld-musl-x86_64.so.1"), "");
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  await copyFile(join(work, "served/install.sh"), join(root, "install.sh"));
  const answer = await exec(["chroot", root, "/bin/busybox", "sh", "/install.sh"], { ok: "any" });
  expect([answer.code, answer.stdout]).toEqual([3, ""]);
  expect(answer.stderr).toContain(
    "which this system does not have; Alpine and other musl systems are not supported",
  );
  expect((await readdir(root)).sort()).toEqual(["bin", "install.sh", "lib"]);
});

withRoot(
  "a user who is neither root nor may become it is told so; in a directory of his own all works",
  async () => {
    await chmod(work, 0o755);
    await chmod(join(prefix, ".."), 0o755);
    const text = await readFile(join(work, "served/install.sh"), "utf8");
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const asUser = (given: string) =>
      exec([...nobody, "sh", "-s", "--", "--prefix", given], {
        ok: "any",
        stdin: text,
        env: { PATH: "/usr/bin:/bin" },
      });
    if (Bun.which("sudo") === null) {
      const answer = await asUser(prefix);
      expect([answer.code, answer.stderr]).toEqual([
        3,
        `install.sh: ${prefix} can be written by root only, and there is no sudo: run this as root, or give --prefix\n`,
      ]);
    }
    const own = join(prefix, "own");
    await mkdir(own);
    await exec(["chown", "65534:65534", own]);
    expect((await asUser(own)).stdout).toBe(`installed ${own}/bin/chime-node (chime-node 2.0.0)\n`);
  },
);
