import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../../scripts/cache.ts";
import { exec } from "../../src/core/exec.ts";
import { LabUnavailable } from "./prerequisites.ts";

/** Who makes what may be found on a disk. */
const packages = [
  "bcache-tools",
  "btrfs-progs",
  "cryptsetup-bin",
  "dosfstools",
  "e2fsprogs",
  "erofs-utils",
  "exfatprogs",
  "f2fs-tools",
  "fdisk",
  "gfs2-utils",
  "jfsutils",
  "lvm2",
  "nilfs-tools",
  "ntfs-3g",
  "reiserfsprogs",
  "squashfs-tools",
  "udftools",
  "xfsprogs",
];

/** Under flock(1), and renamed at the end, as the node image is. $1 = final directory. */
const script = `
set -eu
final=$1 work=$1.new
[ -d "$final" ] && exit 0
rm -rf --one-file-system "$work"
mmdebstrap --mode=root --format=directory --variant=apt --include=${packages.join(",")} \\
  --aptopt='APT::Install-Recommends "false"' bookworm "$work"
ln -sf /proc/self/mounts "$work/etc/mtab"
mv "$work" "$final"
`;

/**
 * A directory with the tools that format disks, beside the node images in the cache: nothing is installed here for it.
 * Built once, which takes a minute. @throws LabUnavailable
 */
export async function ensureFormatters(progress: (line: string) => void): Promise<string> {
  const key = createHash("sha256").update(script).digest("hex").slice(0, 12);
  const root = join(cacheDirectory(), `formatters-${key}`);
  if (await stat(root).catch(() => undefined)) return root;
  await mkdir(cacheDirectory(), { recursive: true });
  progress(`fetching formatters into ${root} (once, about a minute)`);
  const argv = ["flock", `${root}.lock`, "sh", "-c", script, "sh", root];
  const result = await exec(argv, { timeoutMs: 900_000, ok: "any" });
  if (result.code === 0) return root;
  const why = result.stderr.split("\n").find((line) => /^E:|error:/i.test(line)) ?? `exit ${result.code}`;
  throw new LabUnavailable(`the formatters could not be fetched (is the network there?): ${why.trim()}`);
}

/** What such a tool sees beside its own files; all of it is gone with the mount namespace it ends in. */
const enter = `
for at in dev proc sys; do mount --rbind /$at "$0/$at"; done
mount -t tmpfs tmpfs "$0/run" && mount -t tmpfs tmpfs "$0/tmp"
exec chroot "$0" sh -ec "$1"`;

/** Runs a script with the tools of `root`; `$D` in it is the device. */
export async function format(root: string, device: string, script: string): Promise<void> {
  const argv = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", enter, root, script];
  await exec(argv, { env: { D: device, DM_DISABLE_UDEV: "1" } });
  await exec(["sync", device]);
}
