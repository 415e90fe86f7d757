import { expect, test } from "bun:test";
import { judge, worthHolding } from "../../../src/host/disks/judge.ts";
import type { Backing, Device, DiskFacts } from "../../../src/host/disks/types.ts";
import { random } from "../../plan/random.ts";
import { factsOf } from "./facts.ts";

const free = { refusal: undefined, written: [], trouble: [] };
const backing: Backing = { file: "/srv/a.img", identity: "8:1:12", partial: false, place: "file" };
const here = (target: string) => ({ target, where: null });

test("a blank disk with a name of its own is free", () => {
  expect(judge(factsOf())).toEqual({ usable: true, reason: null, warnings: [] });
});

/** What is recorded of real machines for whatever loop devices cannot be. */
const refusals: [string, string, string, Partial<DiskFacts>, Partial<Device>][] = [
  ["the host's disk in a container", "no_node", "is the host's", { node: "missing", container: true }, {}],
  ["a drive for CDs", "not_a_disk", "is no disk (rom)", {}, { type: "rom", removable: true }],
  ["a logical volume", "not_a_disk", "is no disk (lvm)", { virtual: true }, { type: "lvm" }],
  ["an open LUKS container", "not_a_disk", "is no disk (crypt)", { virtual: true }, { type: "crypt" }],
  ["an array", "not_a_disk", "is no disk (raid1)", { virtual: true }, { type: "raid1" }],
  ["memory", "not_a_disk", "is no disk: a driver made it up", { virtual: true }, { kernelName: "zram0" }],
  ["a ZFS volume", "not_a_disk", "is no disk: a driver made it up", { virtual: true }, { kernelName: "zd0" }],
  ["a card reader without a card", "not_a_disk", "holds no medium", {}, { size: 0 }],
  [
    "the system's disk by a volume on it",
    "system",
    "holds /, /var",
    { mounts: [here("/"), here("/var"), here("/srv")], partitions: ["sdb1"] },
    {},
  ],
  ["another device's node", "no_node", "is not what /dev/sdb stands for", { node: "other" }, {}],
  [
    "mounted by a container",
    "mounted",
    "is mounted at /srv in another namespace (db (pid 7))",
    { mounts: [{ target: "/srv", where: "another namespace (db (pid 7))" }] },
    {},
  ],
  ["a virtual machine's disk", "open", "is open in qemu (pid 7)", { openIn: ["qemu (pid 7)"] }, {}],
  ["named in a table", "configured", "is named in /etc/fstab", { namedIn: ["/etc/fstab"] }, {}],
  ["a boot image", "too_small", "is smaller than 1 GiB", {}, { size: 2 ** 29 }],
  ["swap", "swap", "is swap space in use", { swap: true }, {}],
  ["a stopped array's disk", "member", "belongs to md127", { members: ["md127"] }, {}],
  ["a pool's disk", "member", "belongs to the ZFS pool tank", { members: ["the ZFS pool tank"] }, {}],
  ["a path of multipath", "held", "is held by dm-0", { holders: ["dm-0"] }, {}],
  [
    "two paths without multipath",
    "same_storage",
    "is the same storage as /dev/sdc",
    { twins: ["/dev/sdc"] },
    {},
  ],
  [
    "many partitions",
    "partitions",
    "has partitions: sdb1, sdb2, sdb3 and 2 more",
    { partitions: ["sdb1", "sdb2", "sdb3", "sdb4", "sdb5"] },
    {},
  ],
  ["a stick", "removable", "is removable", {}, { removable: true }],
  ["write-protected", "read_only", "is read-only", {}, { readOnly: true }],
  [
    "what udev knows and wipefs does not see",
    "content",
    "carries mpath_member",
    { content: { signatures: ["mpath_member"], trouble: [] } },
    {},
  ],
  [
    "busy",
    "busy",
    "is in use: it cannot be opened alone (EBUSY)",
    { hold: { ...free, refusal: "EBUSY" } },
    {},
  ],
  [
    "a node that may not be opened",
    "busy",
    "is in use: it cannot be opened alone (EPERM)",
    { hold: { ...free, refusal: "EPERM" } },
    {},
  ],
  [
    "not blank at both ends",
    "not_blank",
    "is not blank: there is data in its first MiB, last MiB",
    { hold: { ...free, written: ["first", "last"] } },
    {},
  ],
  [
    "a disk that fails",
    "unknown",
    "counts as used, for it could not be looked at: reading /dev/sdb: EIO",
    { hold: { ...free, trouble: ["reading /dev/sdb: EIO"] } },
    {},
  ],
  ["nobody opened it", "unknown", "counts as used, for nobody opened it", { hold: undefined }, {}],
  [
    "a loop device without a file",
    "unsafe_file",
    "is a loop device whose file cannot be told",
    {},
    { type: "loop" },
  ],
  [
    "a loop device of a file elsewhere",
    "unsafe_file",
    "lies on a file that is not there, /srv/a.img",
    { backing: { ...backing, place: "elsewhere" } },
    { type: "loop" },
  ],
];

test.each(refusals)("%s: %s, %s", (_name, code, message, changed, ofDevice) => {
  const verdict = judge(factsOf(changed, ofDevice));
  expect(verdict).toEqual({ usable: false, reason: { code, message } as never, warnings: [] });
});

test("a multipath device is a disk, though device mapper made it", () => {
  expect(judge(factsOf({ virtual: true }, { type: "mpath", kernelName: "dm-0" })).usable).toBe(true);
});

test("a container's loop device is taken, though its file is the host's", () => {
  const facts = factsOf({ container: true, backing: { ...backing, place: "elsewhere" } }, { type: "loop" });
  expect(judge(facts)).toMatchObject({ usable: true, warnings: [expect.stringContaining("/srv/a.img")] });
});

test("without a serial number it is said by what the disk will be known", () => {
  const bare = { serial: null, wwn: null };
  expect(judge(factsOf({ stableName: "/dev/disk/by-path/pci-0000:00:05.0" }, bare)).warnings).toEqual([
    "has no serial number: it can be told by its path and size only",
  ]);
  expect(judge(factsOf({ stableName: "/dev/sdb" }, bare)).warnings).toEqual([
    "has no serial number: it can be told by its kernel name and size only",
  ]);
});

test("what is in use is not opened: for that moment nobody else could mount it", () => {
  for (const [, , , changed, ofDevice] of refusals) {
    const facts = { ...factsOf(changed, ofDevice), hold: undefined };
    const byHoldAlone = "hold" in changed;
    expect(worthHolding(facts)).toBe(byHoldAlone);
  }
});

test("no second fact makes a refused disk free, whatever comes together", () => {
  const next = random(7);
  for (let round = 0; round < 2_000; round++) {
    const some = Array.from(
      { length: 1 + next(4) },
      () => refusals[next(refusals.length)] as (typeof refusals)[0],
    );
    const changed = Object.assign({}, ...some.map((one) => one[3])) as Partial<DiskFacts>;
    const ofDevice = Object.assign({}, ...some.map((one) => one[4])) as Partial<Device>;
    // A file is asked for on loop devices alone.
    const mixed = factsOf(changed, ofDevice);
    if (some.some((one) => judge(factsOf(one[3], ofDevice)).usable)) continue;
    expect(judge(mixed).usable).toBe(false);
  }
});
