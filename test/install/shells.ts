import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exec, type ExecResult } from "../../src/core/exec.ts";

/** The shells that an install.sh meets. busybox has most of the tools built in, and uses them. */
export const shells: readonly { name: string; argv: readonly string[] }[] = [
  { name: "dash", argv: ["/bin/dash"] },
  { name: "bash --posix", argv: ["/bin/bash", "--posix"] },
  { name: "bash", argv: ["/bin/bash"] },
  { name: "busybox ash", argv: ["/bin/busybox", "sh"] },
];

/** Everything that install.sh calls; a system has them, unless a test takes one away. */
const tools = [
  "sh",
  "cat",
  "chmod",
  "chown",
  "cmp",
  "cp",
  "curl",
  "cut",
  "df",
  "dirname",
  "grep",
  "gzip",
  "id",
  "ln",
  "mkdir",
  "mv",
  "od",
  "openssl",
  "rm",
  "rmdir",
  "sed",
  "sha256sum",
  "tail",
  "tee",
  "tr",
  "uname",
  "wc",
];

export interface Machine {
  /** Tools that this machine lacks. */
  without?: readonly string[];
  /** More of them. */
  with?: readonly string[];
  /** Scripts in place of tools. */
  instead?: Record<string, string>;
}

/** A directory for PATH with what a machine has and no more. */
export async function makePath(directory: string, machine: Machine): Promise<string> {
  const { without = [], instead = {} } = machine;
  await mkdir(directory, { recursive: true });
  for (const tool of [...tools, ...(machine.with ?? [])]) {
    const found = Bun.which(tool, { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" });
    if (without.includes(tool) || tool in instead || found === null) continue;
    await symlink(found, join(directory, tool));
  }
  for (const [name, script] of Object.entries(instead)) {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, name), 0o755);
  }
  return directory;
}

/** Runs a script as a file of `argv`'s shell; any exit code is an answer. */
export async function runScript(
  argv: readonly string[],
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<ExecResult> {
  return exec([...argv, script, ...args], { ok: "any", env });
}
