/** Signatures for which there is no tool here: bytes at the place where their owners look for them. */
export interface Planted {
  name: string;
  /** What wipefs and blkid call it; null where they see nothing and only the bytes speak. */
  type: string | null;
  /** Where, on a disk of that size, and what. */
  at: (size: number) => readonly [offset: number, bytes: Uint8Array][];
}

const text = (words: string): Uint8Array => Buffer.from(words, "latin1");
const hex = (digits: string): Uint8Array => Buffer.from(digits, "hex");

/** At the start of the disk, or so far into it. */
function start(name: string, type: string | null, offset: number, bytes: Uint8Array): Planted {
  return { name, type, at: () => [[offset, bytes]] };
}

/** So many sectors before the end. */
function end(name: string, type: string | null, sectors: number, bytes: Uint8Array): Planted {
  return { name, type, at: (size) => [[size - sectors * 512, bytes]] };
}

/** MD's superblock version 1 (mdp_superblock_1 in the kernel's md_p.h): magic, major version, where it stands. */
function md1(name: string, offset: (size: number) => number): Planted {
  const at = (size: number): [number, Uint8Array][] => {
    const block = Buffer.alloc(256);
    block.writeUInt32LE(0xa92b4efc, 0);
    block.writeUInt32LE(1, 4);
    block.writeBigUInt64LE(BigInt(offset(size) / 512), 144);
    return [[offset(size), block]];
  };
  return { name, type: "linux_raid_member", at };
}

/** A ZFS label: a row of uberblocks, each with its magic number. */
function zfs(name: string, label: (size: number) => number): Planted {
  const at = (size: number) =>
    Array.from({ length: 64 }, (_, i): [number, Uint8Array] => [
      label(size) + 128 * 1024 + i * 1024,
      hex("0cb1ba0000000000"),
    ]);
  return { name, type: "zfs_member", at };
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const planted: readonly Planted[] = [
  md1("MD 1.1", () => 0),
  md1("MD 1.2", () => 4 * KiB),
  md1("MD 1.0, at the end", (size) => size - 8 * KiB),
  {
    name: "MD 0.90, at the end",
    type: "linux_raid_member",
    at: (size) => [[size - 64 * KiB, hex("fc4e2ba9000000005a000000")]],
  },
  end("Intel RAID, at the end", "isw_raid_member", 2, text("Intel Raid ISM Cfg Sig. 1.0.00")),
  end("LSI RAID, at the end", "lsi_mega_raid_member", 1, text("$XIDE$")),
  end("Promise RAID, at the end", "promise_fasttrack_raid_member", 63, text("Promise Technology, Inc.")),
  end("HighPoint 45x RAID, at the end", "hpt45x_raid_member", 11, hex("f316785a")),
  start("HighPoint 37x RAID", "hpt37x_raid_member", 9 * 512 + 32, hex("f016785a")),
  end("JMicron RAID, at the end", "jmicron_raid_member", 1, text("JM")),
  end("NVIDIA RAID, at the end", "nvidia_raid_member", 2, text("NVIDIA  ")),
  end("DDF, at the end", "ddf_raid_member", 1, hex("de11de11")),
  zfs("ZFS label", () => 0),
  zfs("ZFS label, the last one only", (size) => size - 512 * KiB),
  { name: "DRBD, at the end", type: "drbd", at: (size) => [[size - 4 * KiB + 60, hex("8374026b")]] },
  start("LVM 1", "LVM1_member", 0, hex("484d0100")),
  start("device mapper snapshot", "DM_snapshot_cow", 0, text("SnAp")),
  start("VMFS volume, beyond the first MiB", "VMFS_volume_member", MiB, hex("0dd001c0")),
  start("VMFS, beyond the first MiB", "VMFS", 2 * MiB, hex("5ef1ab2f")),
  start("Ceph BlueStore", "ceph_bluestore", 0, text("bluestore block device\n")),
  start("UFS", "ufs", 8192 + 1372, hex("54190100")),
  start("CD image", "iso9660", 32 * KiB, text("\x01CD001\x01")),
  start("VxFS", "vxfs", KiB, hex("f5fc01a5")),
  start("romfs", "romfs", 0, text("-rom1fs-")),
  start("UBI", "ubi", 0, text("UBI#")),
  start("ReFS", "ReFS", 0, text("\0\0\0ReFS\0")),
  start("VDO", "vdo", 0, text("dmvdo001")),
  start("Oracle ASM", "oracleasm", 32, text("ORCLDISK")),
  start("NetWare", "nss", 4 * KiB, text("SPB5")),
  start("suspended system", "swsuspend", 4086, text("S1SUSPEND\0")),
  start("AIX", "aix", 0, hex("c9c2d4c1")),
  {
    name: "Apple partition map",
    type: "mac",
    at: () => [
      [0, hex("45520200")],
      [512, hex("504d000000000001")],
    ],
  },
  start("something encrypted without a header", null, 0, randomLooking(MiB)),
  start("one byte in the first MiB", null, MiB - 1, hex("01")),
  { name: "one byte at the very end", type: null, at: (size) => [[size - 1, hex("01")]] },
];

/** The same in every run. */
function randomLooking(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}
