/** One block device as lsblk and sysfs describe it. */
export interface Device {
  /** The kernel's name, `sdb`; it may be another one after the next boot. */
  kernelName: string;
  /** Its node: `/dev/sdb`. */
  path: string;
  /** `MAJOR:MINOR`, which is what the kernel itself compares. */
  number: string;
  /** lsblk's word: disk, part, loop, mpath, lvm, crypt, raid1, rom, … */
  type: string;
  /** Bytes. */
  size: number;
  readOnly: boolean;
  removable: boolean;
  model: string | null;
  serial: string | null;
  wwn: string | null;
  /** What udev knows to be on it, `xfs`; null where udev does not run. */
  fileSystem: string | null;
}

/** The file under a loop device. */
export interface Backing {
  file: string;
  /** `MAJOR:MINOR:INODE` of the file, the same under every name and in every namespace. */
  identity: string;
  /** It shows only a part of its file. */
  partial: boolean;
  /** What its path is here: `memory` stands for a tmpfs or the like, `elsewhere` for no such file here. */
  place: "file" | "memory" | "deleted" | "elsewhere" | "device";
}

/** What a program says when it is asked about a device, or why it could not say it. */
export interface Content {
  /** Types of signatures, as wipefs and blkid name them: `xfs`, `gpt`, `LVM2_member`. */
  signatures: string[];
  trouble: string[];
}

/** What an exclusive open brought: nobody else has it, and its ends were read. */
export interface Hold {
  /** Why the kernel refused; undefined when it did not. */
  refusal: string | undefined;
  /** Parts that are not all zeros. */
  written: ("first" | "last")[];
  trouble: string[];
}

/** Everything found out about one device: the only input of the judgement. */
export interface DiskFacts {
  device: Device;
  /** The best name that outlives a reboot; the node where there is none. */
  stableName: string;
  /** What the kernel says it is; another medium, file or disk under the same name has another one. */
  state: string;
  /** `other`: what stands at its path is something else. */
  node: "there" | "missing" | "other";
  /** Made by a driver out of nothing or out of other devices (zram, nbd, drbd). */
  virtual: boolean;
  /** Partitions that the kernel shows. */
  partitions: readonly string[];
  /** Devices that lie on it: device mapper, MD, bcache, loop. */
  holders: readonly string[];
  /** Where it, or anything on top of it, is mounted; `where` says in whose mount namespace, if that is another one. */
  mounts: readonly { target: string; where: string | null }[];
  swap: boolean;
  /** What counts it among its own: `md0`, `the volume group vg0`, `the ZFS pool tank`. */
  members: readonly string[];
  /** Files that name it: `/etc/fstab`. */
  namedIn: readonly string[];
  /** Programs that have it or, of a loop device, its file open: `qemu (pid 7)`. */
  openIn: readonly string[];
  /** Other names under which the same storage is there. */
  twins: readonly string[];
  backing: Backing | null;
  /** True in a container, whose disks are given by its host. */
  container: boolean;
  content: Content;
  /** Undefined: not tried, since it is in use already. */
  hold: Hold | undefined;
  /** What could not be looked at. */
  trouble: readonly string[];
}

/** Why a disk is not taken; stable words for scripts. */
export type RefusalCode =
  | "no_node"
  | "not_a_disk"
  | "system"
  | "mounted"
  | "swap"
  | "member"
  | "partitions"
  | "held"
  | "same_storage"
  | "open"
  | "configured"
  | "unsafe_file"
  | "read_only"
  | "removable"
  | "too_small"
  | "content"
  | "busy"
  | "not_blank"
  | "unknown";

export interface Refusal {
  code: RefusalCode;
  /** Goes on after the disk's name: `is mounted at /srv`. */
  message: string;
}

export interface Verdict {
  usable: boolean;
  /** The first reason why not. */
  reason: Refusal | null;
  warnings: string[];
}
