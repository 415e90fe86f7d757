import { expect, test } from "bun:test";
import {
  disksOf,
  parseMdstat,
  parseMounts,
  parsePvs,
  parseSwaps,
  parseTable,
  parseZpool,
  tablePath,
} from "../../../src/host/disks/tables.ts";
import { random } from "../../plan/random.ts";

test("mountinfo, with optional fields, blanks in names and sources that are none", () => {
  const text = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
41 22 0:35 /@ /srv/my\\040disk rw shared:20 master:3 - btrfs /dev/sdb rw,subvol=/@
50 22 0:40 / /run rw - tmpfs  rw
`;
  expect(parseMounts(text)).toEqual([
    { number: "8:1", target: "/", fileSystem: "ext4", source: "/dev/sda1", readOnly: false },
    { number: "0:35", target: "/srv/my disk", fileSystem: "btrfs", source: "/dev/sdb", readOnly: false },
    { number: "0:40", target: "/run", fileSystem: "tmpfs", source: "", readOnly: false },
  ]);
});

test.each([
  ["rw,noatime", "rw,noquota", false],
  ["ro,noatime", "rw", true],
  ["rw,noatime", "ro,noquota", true],
  ["rw,errors=ro", "rw", false],
  ["rw,relatime", "rw,errors=remount-ro,emergency_ro", true],
])("read-only here (%s), or as a whole (%s): %p", (here, whole, readOnly) => {
  const [found] = parseMounts(`36 35 98:0 / /srv ${here} - xfs /dev/sdb ${whole}\n`);
  expect(found?.readOnly).toBe(readOnly);
});

test.each(["x", "22 1 8:1 / / rw,relatime ext4 /dev/sda1 rw", "22 1 sda / / rw - ext4 /dev/sda1 rw"])(
  "a line of mountinfo that is not understood is an error: %s",
  (line) => {
    expect(() => parseMounts(`${line}\n`)).toThrow("not understood");
  },
);

test("whatever a mount point is called, it is read as it was written", () => {
  const next = random(3);
  const letters = ["a", "b", "/", "-", " ", "\t", "\n", "\\", "é"];
  const escape = (text: string) =>
    text.replace(/[ \t\n\\]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, "0")}`);
  for (let round = 0; round < 2_000; round++) {
    const name = () => `/${Array.from({ length: next(12) }, () => letters[next(letters.length)]).join("")}`;
    const [target, source] = [name(), name()];
    const line = `36 35 98:0 ${escape(name())} ${escape(target)} rw,noatime master:1 - ext3 ${escape(source)} rw`;
    expect(parseMounts(line)).toEqual([
      { number: "98:0", target, fileSystem: "ext3", source, readOnly: false },
    ]);
  }
});

test("swaps", () => {
  const text = `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/sda2                               partition\t8388604\t\t0\t\t-2
/swap\\040file                           file\t\t1048572\t\t0\t\t-3
`;
  expect(parseSwaps(text)).toEqual(["/dev/sda2", "/swap file"]);
});

test("mdstat: members of running and stopped arrays, failed and spare ones, too", () => {
  const text = `Personalities : [raid1] [raid6]
md0 : active raid1 sdb1[1] sda1[0](F)
      1046528 blocks super 1.2 [2/1] [U_]

md127 : inactive sdc[0](S)
      1048576 blocks super 1.2

unused devices: <none>
`;
  expect(Object.fromEntries(parseMdstat(text))).toEqual({ sdb1: "md0", sda1: "md0", sdc: "md127" });
});

test("fstab and crypttab: which devices they name", () => {
  const fstab = `# <file system> <mount point>
UUID=1234-ABCD /boot vfat defaults 0 2
  /dev/sdb1\t/srv ext4 nofail 0 2
LABEL="data" /data xfs noatime 0 0
tmpfs /tmp tmpfs size=1G 0 0
`;
  expect(parseTable(fstab, 1).map(tablePath)).toEqual([
    "/dev/disk/by-uuid/1234-ABCD",
    "/dev/sdb1",
    "/dev/disk/by-label/data",
    undefined,
  ]);
  expect(parseTable("# name device\nvault /dev/sdc none plain\nswap\n", 2)).toEqual(["/dev/sdc"]);
});

test.each([
  ["/dev/sdb1", ["/dev/sdb"]],
  ["/dev/nvme0n1p2", ["/dev/nvme0n1"]],
  ["/dev/loop7p1", ["/dev/loop7"]],
  ["/dev/disk/by-id/ata-X_1-part3", ["/dev/disk/by-id/ata-X_1"]],
])("a partition's path tells its disk's: %s", (path, disks) => {
  expect(disksOf(path)).toEqual(expect.arrayContaining(disks));
});

test("members of pools and volume groups", () => {
  const zpool = `  pool: tank
 state: ONLINE
config:

\tNAME          STATE     READ WRITE CKSUM
\ttank          ONLINE       0     0     0
\t  mirror-0    ONLINE       0     0     0
\t    /dev/sdb1  ONLINE       0     0     0
\t    /dev/sdc1  FAULTED      0     0     0
`;
  expect(Object.fromEntries(parseZpool(zpool))).toEqual({ "/dev/sdb1": "tank", "/dev/sdc1": "tank" });
  expect(Object.fromEntries(parsePvs("  /dev/sda3|vg0\n  /dev/sdd|\n  [unknown]|vg1\n"))).toEqual({
    "/dev/sda3": "vg0",
    "/dev/sdd": "",
  });
});
