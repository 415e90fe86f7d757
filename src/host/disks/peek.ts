import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refused } from "../../core/errors.ts";
import { exec } from "../../core/exec.ts";

const mostBytes = 65_536;

/** $1: the device, $2: an empty directory, $3: the file. What is mounted is nobody else's to see, and goes with the shell. */
const script = `mount -t xfs -o ro,norecovery,nodev,nosuid,noexec "$1" "$2" && head -c ${mostBytes} "$2/$3"`;

/**
 * A file of an XFS that is mounted nowhere. Nothing is written to the disk, not even its log is played back.
 * @param file relative to its root
 * @throws ChimeError `disk.unreadable` (exit 3)
 */
export async function peek(device: string, file: string): Promise<string> {
  const at = await mkdtemp(join(tmpdir(), "chime-node-peek-"));
  try {
    const argv = [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-c",
      script,
      "sh",
      device,
      at,
      file,
    ];
    const { code, stdout, stderr } = await exec(argv, { ok: "any" });
    if (code === 0) return stdout;
    throw refused(
      "disk.unreadable",
      `${device}: ${file} cannot be read: ${stderr.trim().split("\n").at(-1)}`,
      {
        remedy: "give another disk: chime-node disks shows those that are free",
      },
    );
  } finally {
    await rmdir(at);
  }
}
