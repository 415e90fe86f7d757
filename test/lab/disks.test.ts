import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, open, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import type { RefusalCode, Verdict } from "../../src/host/disks/types.ts";
import { caught } from "../cli/fake.ts";
import { ensureFormatters, format } from "./formatters.ts";
import { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import { DiskMachine, given } from "./machine.ts";
import { planted } from "./planted.ts";

let lab: Lab;
let machine: DiskMachine;
let memory: string;
let tools: string;
beforeAll(async () => {
  lab = await Lab.open({ nodes: [], boot: false });
  memory = join(lab.work, "memory");
  await mkdir(memory);
  await exec(["mount", "-t", "tmpfs", "tmpfs", memory]);
  machine = await DiskMachine.start(lab);
  tools = await ensureFormatters(console.error);
}, 300_000);
afterAll(() => lab?.close());

/** What / is on: no device in a container, as a rule. A subvolume is named behind it. */
const { stdout: source } = await exec(["findmnt", "--noheadings", "--output", "SOURCE", "/"]);
const root = source.trim().replace(/\[.*\]$/, "");

let count = 0;
const file = (): string => join(lab.work, "disks", `${++count}.img`);
const blank = (options?: { bytes?: number; flags?: string[] }) => LoopDevice.attach(file(), options);

async function verdictOn(disk: { path: string }, before?: string): Promise<Verdict | undefined> {
  return (await machine.look([disk.path], before)).found.get(disk.path)?.verdict;
}

/** Looked at, and then given to a role: refused with that reason, and not a byte is another one. */
async function expectRefused(disk: LoopDevice, code: RefusalCode, message: string | RegExp): Promise<void> {
  const before = await disk.digest();
  const found = (await machine.look([disk.path])).found.get(disk.path);
  if (!found) throw new Error(`${disk.path} was not found`);
  const { verdict, identity } = found;
  const why = verdict.reason?.message ?? "";
  expect({ ...verdict.reason, usable: verdict.usable }).toEqual({ code, message: why, usable: false });
  expect(why).toMatch(new RegExp(message));
  const directory = join(lab.work, "ledgers", String(++count));
  const { changes, errors } = await machine.apply({ verb: "apply", given: [given(identity)], directory });
  expect({ changes, errors }).toEqual({
    changes: [],
    errors: [{ code: "disk.refused", message: expect.stringContaining(`${disk.path} ${why}`) }],
  });
  expect(await disk.digest()).toBe(before);
}

test("a blank disk is free, with a word about what it is, and is looked at without a trace", async () => {
  await using disk = await blank();
  const before = await disk.digest();
  const verdict = await verdictOn(disk);
  expect(verdict).toEqual({
    usable: true,
    reason: null,
    warnings: [`is a loop device: a file on another disk, ${disk.file}`],
  });
  expect(await disk.digest()).toBe(before);
});

/** A file system of a few files, made beside the disk and copied onto it. */
const image = (make: string) =>
  `mkdir /tmp/d; echo x >/tmp/d/f; ${make}; dd if=/tmp/i of=$D conv=notrunc status=none`;

describe("made by the tools of their owners", () => {
  test.each([
    ["ext2", "mkfs.ext2 -q $D", "ext2"],
    ["ext4", "mkfs.ext4 -q $D", "ext4"],
    ["external journal of ext4", "mkfs.ext4 -q -O journal_dev $D", "jbd"],
    ["XFS", "mkfs.xfs -q $D", "xfs"],
    [
      "external log of XFS",
      "truncate -s 1G /tmp/x; mkfs.xfs -q -l logdev=$D,size=64m /tmp/x",
      "xfs_external_log",
    ],
    ["btrfs", "mkfs.btrfs -q $D", "btrfs"],
    ["f2fs", "mkfs.f2fs -q $D", "f2fs"],
    ["JFS", "mkfs.jfs -q $D", "jfs"],
    ["ReiserFS", "mkfs.reiserfs -qff $D", "reiserfs"],
    ["NILFS 2", "mkfs.nilfs2 -q $D", "nilfs2"],
    ["GFS 2", "mkfs.gfs2 -q -O -p lock_nolock -j 1 -J 16 $D", "gfs2"],
    ["Minix", "mkfs.minix $D", "minix"],
    ["BFS", "mkfs.bfs $D", "bfs"],
    ["FAT", "mkfs.vfat -I $D", "vfat"],
    ["exFAT", "mkfs.exfat $D", "exfat"],
    ["NTFS", "mkfs.ntfs -q -Q -F $D", "ntfs"],
    ["UDF", "mkudffs $D", "udf"],
    ["squashfs", image("mksquashfs /tmp/d /tmp/i"), "squashfs"],
    ["EROFS", image("mkfs.erofs /tmp/i /tmp/d"), "erofs"],
    ["cramfs", image("mkfs.cramfs /tmp/d /tmp/i"), "cramfs"],
    ["swap space", "mkswap -q $D", "swap"],
    ["LVM", "pvcreate -q $D", "LVM2_member"],
    [
      "LUKS 1",
      "echo x | cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 $D -",
      "crypto_LUKS",
    ],
    [
      "LUKS 2",
      "echo x | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $D -",
      "crypto_LUKS",
    ],
    [
      "LUKS 2, its second header only",
      "echo x | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $D -; dd if=/dev/zero of=$D bs=4096 count=1 conv=notrunc status=none",
      "crypto_LUKS",
    ],
    ["hashes of dm-verity", "truncate -s 8M /tmp/x; veritysetup format /tmp/x $D", "DM_verity_hash"],
    ["bcache, backing", "make-bcache -B $D", "bcache"],
    ["bcache, cache", "make-bcache -C $D", "bcache"],
    ["GPT without partitions", "echo label:gpt | sfdisk -q $D", "gpt"],
    ["GPT with one", "printf 'label:gpt\\n,100M\\n' | sfdisk -q $D", "gpt"],
    [
      "GPT, its backup only",
      "echo label:gpt | sfdisk -q $D; dd if=/dev/zero of=$D bs=1M count=1 conv=notrunc status=none",
      "gpt",
    ],
    ["MBR without partitions", "echo label:dos | sfdisk -q $D", "dos"],
    ["MBR with one", "printf 'label:dos\\n,100M\\n' | sfdisk -q $D", "dos"],
    ["SGI disk label", "echo label:sgi | sfdisk -q $D", "sgi"],
    ["Sun disk label", "echo label:sun | sfdisk -q $D", "sun"],
    ["two file systems", "mkfs.ext4 -q $D; mkswap -q --force $D", "."],
  ])("%s", async (_name, script, type) => {
    await using disk = await blank();
    await format(tools, disk.path, script);
    await expectRefused(disk, "content", new RegExp(`^carries .*${type}`));
  });

  test("LVM metadata of which only the copy at the end is left", async () => {
    await using disk = await blank();
    const zero = "dd if=/dev/zero of=$D bs=1M count=1 conv=notrunc status=none";
    await format(tools, disk.path, `pvcreate -q --pvmetadatacopies 2 $D; ${zero}`);
    await expectRefused(disk, "not_blank", "is not blank: there is data in its last MiB");
  });
});

describe("left behind", () => {
  test.each(planted.map((one) => [one.name, one] as const))("%s", async (_name, { type, at }) => {
    await using disk = await blank();
    const handle = await open(disk.path, "r+");
    for (const [offset, bytes] of at(2 ** 30)) await handle.write(bytes, 0, bytes.length, offset);
    await handle.sync();
    await handle.close();
    if (type === null) await expectRefused(disk, "not_blank", /^is not blank/);
    else await expectRefused(disk, "content", `carries ${type}`);
  });
});

describe("in use", () => {
  const directory = async () => {
    const path = join(lab.work, "mounts", String(++count));
    await mkdir(path, { recursive: true });
    return path;
  };

  test("mounted", async () => {
    await using disk = await blank();
    await exec(["mkfs.ext4", "-q", disk.path]);
    const at = await directory();
    await machine.sh(`mount ${disk.path} ${at}`);
    await expectRefused(disk, "mounted", `^is mounted at ${at}$`);
    await machine.sh(`umount ${at}`);
    await expectRefused(disk, "content", "^carries ext4$");
  });

  test("mounted in another mount namespace alone", async () => {
    await using disk = await blank();
    await exec(["mkfs.xfs", "-q", disk.path]);
    const inner = `mount ${disk.path} /mnt; echo done; exec sleep 600`;
    await using _ = await machine.meanwhile(`exec unshare --mount --propagation private sh -ec '${inner}'`);
    await expectRefused(disk, "mounted", /^is mounted at \/mnt in another namespace \(sleep \(pid \d+\)\)$/);
  });

  test("held by the kernel alone: unmounted lazily under a process that still writes, and wiped at both ends", async () => {
    await using disk = await blank();
    await exec(["mkfs.ext4", "-q", disk.path]);
    const at = await directory();
    await machine.sh(`mount ${disk.path} ${at}`);
    await using _ = await machine.meanwhile(`exec 7>${at}/file; echo done; exec sleep 600`);
    await machine.sh(`umount --lazy ${at}`);
    for (const seek of [0, 1023]) {
      await exec(["dd", "if=/dev/zero", `of=${disk.path}`, "bs=1M", "count=1", `seek=${seek}`, "conv=fsync"]);
    }
    await expectRefused(disk, "busy", /^is in use: it cannot be opened alone \(EBUSY\)$/);
  });

  test("the second disk of a mounted btrfs, which no mount table names", async () => {
    await using one = await blank();
    await using two = await blank();
    await format(tools, one.path, `mkfs.btrfs -q -d raid1 -m raid1 $D ${two.path}`);
    const at = await directory();
    await machine.sh(`mount -o device=${two.path} ${one.path} ${at}`);
    await expectRefused(one, "mounted", at);
    await expectRefused(two, "content", "^carries btrfs$");
    await machine.sh(`umount ${at}`);
  });

  test("open in a program, though it only reads", async () => {
    await using disk = await blank();
    {
      await using _ = await machine.meanwhile(`exec 7<${disk.path}; echo done; exec sleep 600`);
      await expectRefused(disk, "open", /^is open in sleep \(pid \d+\)$/);
    }
    expect(await verdictOn(disk)).toMatchObject({ usable: true });
  });

  test("open under another name", async () => {
    await using disk = await blank();
    const { stdout } = await exec(["stat", "-c", "%Hr %Lr", disk.path]);
    const node = join(lab.work, `node-${++count}`);
    await exec(["mknod", node, "b", ...stdout.trim().split(" ")]);
    await using _ = await machine.meanwhile(`exec 7<${node}; echo done; exec sleep 600`);
    await expectRefused(disk, "open", /^is open in sleep/);
  });

  test("its file is open in a program, as a virtual machine's disk is", async () => {
    await using disk = await blank();
    await using _ = await machine.meanwhile(`exec 7<>${disk.file}; echo done; exec sleep 600`);
    await expectRefused(disk, "open", /^is open in sleep/);
  });

  test("two loop devices of one file, one of them mounted", async () => {
    await using disk = await blank();
    await exec(["mkfs.ext4", "-q", disk.path]);
    await using second = await LoopDevice.again(disk.file);
    const at = await directory();
    await machine.sh(`mount ${disk.path} ${at}`);
    await expectRefused(disk, "mounted", at);
    await expectRefused(second, "same_storage", `^is the same storage as ${disk.path}$`);
    await machine.sh(`umount ${at}`);
    await expectRefused(disk, "same_storage", `^is the same storage as ${second.path}$`);
  });

  test("a loop device of a loop device, which the kernel does not count as a holder", async () => {
    await using disk = await blank();
    await using upper = await LoopDevice.again(disk.path);
    await expectRefused(disk, "held", `^is held by ${upper.path.slice("/dev/".length)}$`);
    const reason = { code: "unsafe_file", message: `is a second name of ${disk.path}` };
    expect(await verdictOn(upper)).toMatchObject({ reason });
  });

  test("partitions that the kernel shows, the partition itself, and one that is mounted", async () => {
    await using disk = await blank({ flags: ["--partscan"] });
    // This kernel may read no partition table, but takes partitions one by one.
    await exec(["addpart", disk.path, "1", "2048", "1024000"]);
    const first = `${disk.path}p1`;
    await expectRefused(disk, "partitions", `^has partitions: ${first.slice("/dev/".length)}$`);
    expect((await verdictOn({ path: first }))?.reason?.message).toBe("is a partition, not a whole disk");
    await exec(["mkfs.ext4", "-q", first]);
    const at = await directory();
    await machine.sh(`mount ${first} ${at}`);
    await expectRefused(disk, "mounted", `^is mounted at ${at}$`);
    await machine.sh(`umount ${at}`);
  });

  test("mounted where the system lives", async () => {
    await using disk = await blank();
    await exec(["mkfs.ext4", "-q", disk.path]);
    const verdict = await verdictOn(disk, `mount ${disk.path} /boot`);
    expect(verdict?.reason).toEqual({ code: "system", message: "holds /boot" });
  });

  const isBare = root.startsWith("/dev/");
  test.skipIf(!isBare)(
    `the disk under this system${isBare ? "" : ` (skipped: / is on ${root})`}`,
    async () => {
      expect(await verdictOn({ path: root })).toMatchObject({ usable: false });
    },
  );
});

describe("not fit", () => {
  test("read-only", async () => {
    await using disk = await blank({ flags: ["--read-only"] });
    await expectRefused(disk, "read_only", "is read-only");
  });

  test("a sector smaller than 1 GiB", async () => {
    await using disk = await blank({ bytes: 2 ** 30 - 512 });
    await expectRefused(disk, "too_small", "is smaller than 1 GiB");
  });

  test.each([
    ["begins later", "--offset=1048576"],
    ["ends earlier", "--sizelimit=1073741824"],
  ])("a window into a file that %s", async (_name, flag) => {
    await using disk = await blank({ bytes: 2 ** 31, flags: [flag] });
    await expectRefused(disk, "unsafe_file", "shows only a part of");
  });

  test("on a file that was deleted", async () => {
    await using disk = await blank();
    await rm(disk.file);
    expect((await verdictOn(disk))?.reason).toEqual({
      code: "unsafe_file",
      message: `lies on a file that was deleted, ${disk.file} (deleted)`,
    });
  });

  test("on a file that another one hides", async () => {
    await using disk = await blank();
    await using other = await blank();
    const verdict = await verdictOn(disk, `mount --bind ${other.file} ${disk.file}`);
    expect(verdict?.reason).toEqual({
      code: "unsafe_file",
      message: `lies on a file that is not there, ${disk.file}`,
    });
  });

  test("on a file in memory", async () => {
    await using disk = await LoopDevice.attach(join(memory, "disk.img"));
    await expectRefused(disk, "unsafe_file", "lies on a file in memory");
  });

  test("a disk whose end cannot be read", async () => {
    await using disk = await blank();
    await truncate(disk.file, 2 ** 29);
    expect((await verdictOn(disk))?.reason?.message).toMatch(/could not be looked at: .*EIO/);
  });
});

describe("as another machine would show it", () => {
  /** A program that stands before the real one. */
  async function fake(name: string, body: string): Promise<string> {
    const directory = join(lab.work, "fake", String(++count));
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return `mount -t overlay -o lowerdir=${directory}:/usr/sbin overlay /usr/sbin
      mount -t overlay -o lowerdir=${directory}:/usr/bin overlay /usr/bin`;
  }
  /** /etc with a file that says something else. */
  async function table(name: string, content: string): Promise<string> {
    const directory = join(lab.work, "fake", String(++count));
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, name), content);
    return `mount -t overlay -o lowerdir=${directory}:/etc overlay /etc`;
  }

  test("named in fstab, itself or by a partition that is not there", async () => {
    await using disk = await blank();
    await using other = await blank();
    const lines = `# ours\n${disk.path} /srv ext4 defaults,nofail 0 2\n${other.path}p1 none swap sw 0 0\n`;
    const { found } = await machine.look([disk.path, other.path], await table("fstab", lines));
    const reason = { code: "configured", message: "is named in /etc/fstab" };
    expect([...found.values()].map(({ verdict }) => verdict.reason)).toEqual([reason, reason] as never);
  });

  test("named in crypttab: plain encryption leaves no header", async () => {
    await using disk = await blank();
    const verdict = await verdictOn(disk, await table("crypttab", `vault ${disk.path} /dev/urandom plain\n`));
    expect(verdict?.reason).toEqual({ code: "configured", message: "is named in /etc/crypttab" });
  });

  test("its node is another device's", async () => {
    await using disk = await blank();
    const verdict = await verdictOn(disk, `mount --bind /dev/null ${disk.path}`);
    expect(verdict?.reason).toEqual({ code: "no_node", message: `is not what ${disk.path} stands for` });
  });

  test.each([
    ["wipefs", "exit 1", /: wipefs exited 1$/],
    ["wipefs", "echo '{}'", /: wipefs printed what is not understood/],
    ["blkid", "exit 4", /: blkid exited 4$/],
    ["blkid", "echo 'blkid: error: /dev/x: I/O error' >&2; exit 2", /: blkid error: .*I\/O error$/],
    ["losetup", "exit 1", /^is a loop device whose file cannot be told$/],
    ["pvs", "exit 5", /: pvs .*exited 5$/],
    ["zpool", "echo The ZFS modules are not loaded. >&2; exit 1", /ZFS modules are not loaded\.$/],
  ])("%s that does: %s", async (name, body, message) => {
    await using disk = await blank();
    const before = await disk.digest();
    const verdict = await verdictOn(disk, await fake(name, body));
    expect(verdict).toMatchObject({ usable: false, reason: { message: expect.stringMatching(message) } });
    expect(await disk.digest()).toBe(before);
  });

  test("lsblk that fails leaves no list at all", async () => {
    await using disk = await blank();
    const error = await caught(verdictOn(disk, await fake("lsblk", "exit 1")));
    expect(String(error)).toMatch("lsblk exited 1");
  });

  test("a volume manager that knows it, though no signature is seen", async () => {
    await using disk = await blank();
    const verdict = await verdictOn(disk, await fake("pvs", `echo '  ${disk.path}|vg0'`));
    expect(verdict?.reason).toEqual({ code: "member", message: "belongs to the volume group vg0" });
  });

  test("changed while it was looked at", async () => {
    await using disk = await blank();
    const grow = `truncate -s 2G ${disk.file}; losetup --set-capacity ${disk.path}; echo '{"signatures":[]}'`;
    const verdict = await verdictOn(disk, await fake("wipefs", grow));
    expect(verdict?.reason?.message).toMatch(/changed while it was looked at/);
  });
});
