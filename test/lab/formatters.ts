import { exec } from "../../src/core/exec.ts";
import { ensureToolRoot } from "./tool-root.ts";

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

/** A directory with the tools that format disks. @throws LabUnavailable */
export async function ensureFormatters(progress: (line: string) => void): Promise<string> {
  return ensureToolRoot("formatters", packages, progress);
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
