import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { copyFile, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { readXfsHead } from "../../src/host/disks/xfs.ts";
import type { GivenDisk } from "../../src/host/disks/record.ts";
import { caught } from "../cli/fake.ts";
import type { Done, Job } from "./disk-apply-program.ts";
import { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import { DiskMachine, given } from "./machine.ts";
import { waitUntil } from "./wait.ts";

let lab: Lab;
let machine: DiskMachine;
beforeAll(async () => {
  lab = await Lab.open({ nodes: [], boot: false });
  machine = await DiskMachine.start(lab);
}, 60_000);
afterAll(() => lab?.close());

let count = 0;
const file = () => join(lab.work, "disks", `${++count}.img`);
const ledger = () => join(lab.work, "ledgers", String(++count));

/** A blank disk, given to the role by a path. */
async function blank(slot = 1, path?: string): Promise<{ disk: LoopDevice; own: GivenDisk }> {
  const disk = await LoopDevice.attach(file());
  return { disk, own: await give(path ?? disk.path, slot) };
}

async function give(path: string, slot = 1): Promise<GivenDisk> {
  const found = (await machine.look([path])).found.get(path);
  if (!found) throw new Error(`${path} was not found`);
  return given(found.identity, slot);
}

const apply = (own: readonly GivenDisk[], directory = ledger(), between?: string): Promise<Done> =>
  machine.apply({ verb: "apply", given: [...own], directory, ...(between && { between }) });

/** Stands before mkfs.xfs: `$real` is that one, `$PPID` the program that called it. */
async function insteadOfMkfs(script: string): Promise<string> {
  const directory = join(lab.work, "fake", String(++count));
  const [real = ""] = (await exec(["which", "mkfs.xfs"])).stdout.trim().split("\n");
  const own = join(directory, "real");
  await mkdir(join(directory, "bin"), { recursive: true });
  await copyFile(real, own);
  await writeFile(join(directory, "bin/mkfs.xfs"), `#!/bin/sh\nreal=${own}\n${script}\n`, { mode: 0o755 });
  const over = dirname(real);
  return `mount -t overlay -o lowerdir=${join(directory, "bin")}:${over} overlay ${over}`;
}

test("planned with who it is, made once, and the same again changes nothing", async () => {
  const [one, two] = [await blank(1), await blank(2)];
  await using _one = one.disk;
  await using _two = two.disk;
  const own = [one.own, two.own];
  const directory = ledger();
  const before = await one.disk.digest();
  const planned = await machine.apply({ verb: "plan", given: own, directory });
  expect(planned.changes[0]).toEqual({
    what: "disk:store-disk1 create data",
    diff: `+ XFS store-disk1 (${one.own.uuid}) on the whole of ${one.disk.path} (no serial number: known by its name and size only, 1 GiB)`,
  });
  expect(await one.disk.digest()).toBe(before);
  expect((await apply(own, directory)).errors).toEqual([]);
  for (const { disk, own } of [one, two]) {
    expect(await readXfsHead(disk.path)).toEqual({ uuid: own.uuid, label: own.label, inProgress: false });
  }
  const made = await one.disk.digest();
  expect(await apply(own, directory)).toEqual({ changes: [], errors: [] });
  // Without the ledger it is known by what is on it.
  expect(await apply(own)).toEqual({ changes: [], errors: [] });
  expect(await one.disk.digest()).toBe(made);
});

describe("changed between plan and apply", () => {
  test.each([
    ["somebody made a file system", (path: string) => `mkfs.ext4 -q ${path}`, "carries ext4"],
    [
      "a sector was written at the end",
      (path: string) => `echo x | dd of=${path} bs=512 seek=2097151 conv=notrunc,sync,fsync status=none`,
      "is not blank: there is data in its last MiB",
    ],
    [
      "a program has it open",
      (path: string) => `setsid sh -c 'exec sleep 600 <${path}' >/dev/null 2>&1 &`,
      "is open in",
    ],

    [
      "it is another size",
      (path: string) => `truncate -s 2G $(losetup -nO BACK-FILE ${path}); losetup --set-capacity ${path}`,
      "is not there, or is another disk by now",
    ],
    [
      "it has a second name",
      (path: string) => `losetup --find $(losetup -nO BACK-FILE ${path})`,
      "is the same storage as",
    ],
  ])("%s", async (_name, change, message) => {
    const { disk, own } = await blank();
    await using _ = disk;
    const sum = join(lab.work, `sum-${++count}`);
    // Both ends, and how much of it was ever written: a sparse file, and mkfs writes in many places.
    const look = `sync ${disk.path}; stat -c '%s %b' ${disk.file}; for end in head tail; do $end -c 1M ${disk.file} | sha256sum; done`;
    const done = await apply([own], ledger(), `${change(disk.path)}\n{ ${look}; } >${sum}`);
    expect(done.errors).toEqual([
      { code: expect.stringMatching(/^disk\.(refused|gone)$/), message: expect.stringContaining(message) },
    ]);
    // As whoever changed it left it.
    expect((await exec(["sh", "-c", look])).stdout).toBe(await readFile(sum, "utf8"));
    await exec([
      "sh",
      "-c",
      `losetup -nO NAME -j ${disk.file} | grep -vx ${disk.path} | xargs -rn1 losetup -d`,
    ]);
  });
});

test("between choice and apply another disk came under its name, or none", async () => {
  const { disk, own } = await blank();
  await disk.detach();
  const gone = { code: "disk.gone", message: expect.stringContaining(`disk:store-disk1: ${disk.path} (`) };
  expect((await apply([own])).errors).toEqual([gone]);
  await using other = await LoopDevice.attach(file());
  const before = await other.digest();
  const renamed = { ...own, identity: { ...own.identity, name: other.path } };
  expect((await apply([renamed])).errors).toMatchObject([{ code: "disk.gone" }]);
  // The same name and size, and not what the kernel had there when it was chosen.
  const { identity } = await give(other.path);
  const state = identity.state.replace(/\d+$/, (count) => String(Number(count) - 1));
  expect((await apply([given({ ...identity, state })])).errors).toMatchObject([{ code: "disk.gone" }]);
  expect(await other.digest()).toBe(before);
});

test("one disk given twice, by two names: neither is made, and another one is", async () => {
  const [{ disk, own }, other] = [await blank(1), await blank(3)];
  await using _ = disk;
  await using _other = other.disk;
  const before = await disk.digest();
  const again = { ...given(own.identity, 2), uuid: randomUUID() };
  const { errors } = await apply([own, again, other.own]);
  expect(errors.map(({ code, message }) => `${code} ${message.split(": ")[0]}`)).toEqual([
    "disk.same disk:store-disk1",
    "disk.same disk:store-disk2",
  ]);
  expect(await disk.digest()).toBe(before);
  expect(await readXfsHead(other.disk.path)).toMatchObject({ uuid: other.own.uuid });
});

test("erased, once and again; one that was pulled, or carries something else by now, is not, and that is said", async () => {
  const erase = async (...own: GivenDisk[]) =>
    (await machine.apply({ verb: "erase", given: own, directory: ledger() })).left;
  const [one, two, pulled] = [await blank(1), await blank(2), await blank(3)];
  await using _one = one.disk;
  await using _two = two.disk;
  const own = [one.own, two.own];
  expect((await apply([...own, pulled.own])).errors).toEqual([]);
  await pulled.disk.detach();
  await exec(["mkfs.ext4", "-qF", two.disk.path]);
  const before = await two.disk.digest();
  for (let times = 0; times < 2; times++) {
    expect(await erase(one.own, two.own, pulled.own)).toEqual([
      null,
      expect.stringMatching(/^its file system was not found on it, and it carries ext4/),
      "it is not in this machine",
    ]);
  }
  expect(await readXfsHead(one.disk.path)).toBeUndefined();
  expect(await two.disk.digest()).toBe(before);
});

test("locked for a moment, as udev does: waited for", async () => {
  const { disk, own } = await blank();
  await using _ = disk;
  const locked = join(lab.work, `locked-${++count}`);
  const hold = `flock ${disk.path} sh -c 'touch ${locked}; sleep 1' >/dev/null 2>&1 & until [ -e ${locked} ]; do sleep 0.05; done`;
  expect((await apply([own], ledger(), hold)).errors).toEqual([]);
  expect(await readXfsHead(disk.path)).toMatchObject({ uuid: own.uuid });
});

describe("of several only the one that cannot be made is not", () => {
  test.each([
    ["in use by now", (path: string) => ({ between: `mkfs.ext4 -q ${path}` }), /carries ext4/],
    [
      "mkfs fails",
      async (path: string) => ({
        before: await insteadOfMkfs(`case "$*" in *${path}) exit 1;; esac; exec $real "$@"`),
      }),
      /mkfs\.xfs/,
    ],
  ])("%s", async (_name, spoil, message) => {
    const [one, bad, three] = [await blank(1), await blank(2), await blank(3)];
    await using _one = one.disk;
    await using _bad = bad.disk;
    await using _three = three.disk;
    const job: Job = { verb: "apply", given: [one.own, bad.own, three.own], directory: ledger() };
    const { before, ...between } = { before: "", ...(await spoil(bad.disk.path)) };
    const { errors } = await machine.apply({ ...job, ...between }, before);
    expect(errors.map((error) => error.message)).toEqual([expect.stringMatching(message)]);
    expect(errors[0]?.message).toStartWith("disk:store-disk2: ");
    for (const { disk, own } of [one, three]) {
      expect(await readXfsHead(disk.path)).toEqual({ uuid: own.uuid, label: own.label, inProgress: false });
    }
    expect(await readXfsHead(bad.disk.path)).toBeUndefined();
    await exec(["blkdiscard", "--zeroout", bad.disk.path]);
    expect((await machine.apply(job)).changes.map(({ what }) => what)).toEqual([
      "disk:store-disk2 create data",
    ]);
    expect(await readXfsHead(bad.disk.path)).toMatchObject({ uuid: bad.own.uuid });
  });
});

describe("only half of it is ours", () => {
  async function made(label: string, uuid: string) {
    const { disk, own } = await blank();
    await exec(["mkfs.xfs", "-q", "-L", label, "-m", `uuid=${uuid}`, disk.path]);
    return { disk, own, before: await disk.digest() };
  }

  test("our label, another UUID", async () => {
    const { disk, own, before } = await made("store-disk1", randomUUID());
    await using _ = disk;
    expect((await apply([own])).errors).toMatchObject([{ code: "disk.half_ours" }]);
    expect(await disk.digest()).toBe(before);
  });

  test("our UUID, another label", async () => {
    const uuid = randomUUID();
    const { disk, own, before } = await made("store-disk7", uuid);
    await using _ = disk;
    expect((await apply([{ ...own, uuid }])).errors).toMatchObject([{ code: "disk.half_ours" }]);
    expect(await disk.digest()).toBe(before);
  });

  test("two disks with our label and UUID", async () => {
    const uuid = randomUUID();
    const { disk, own } = await made("store-disk1", uuid);
    await using _ = disk;
    await using copy = await LoopDevice.attach(file());
    await exec([
      "dd",
      `if=${disk.path}`,
      `of=${copy.path}`,
      "bs=1M",
      "count=16",
      "conv=fsync",
      "status=none",
    ]);
    expect((await apply([{ ...own, uuid }])).errors).toMatchObject([{ code: "disk.twice" }]);
  });

  test("a formatting that a power cut interrupted", async () => {
    const uuid = randomUUID();
    const { disk, own } = await made("store-disk1", uuid);
    await using _ = disk;
    const handle = await open(disk.path, "r+");
    await handle.write(Buffer.from([1]), 0, 1, 126);
    await handle.sync();
    await handle.close();
    const before = await disk.digest();
    expect((await apply([{ ...own, uuid }])).errors).toMatchObject([{ code: "disk.unfinished" }]);
    expect(await disk.digest()).toBe(before);
  });

  test("once made and gone since: another blank disk in its place is not taken for it", async () => {
    const { disk, own } = await blank();
    const directory = ledger();
    expect((await apply([own], directory)).errors).toEqual([]);
    await disk.detach();
    await using other = await LoopDevice.attach(file());
    const { identity } = await give(other.path);
    const before = await other.digest();
    expect(await apply([{ ...own, identity }], directory)).toEqual({ changes: [], errors: [] });
    expect(await other.digest()).toBe(before);
  });
});

describe("killed while it is formatted", () => {
  test.each([
    ["before it began", "kill -9 $PPID"],
    ["when it had ended, and nobody had noted it", '$real "$@"; kill -9 $PPID'],
    ["and mkfs went on alone", 'kill -9 $PPID; $real "$@"'],
  ])("%s: the next run finishes it", async (_name, script) => {
    const { disk, own } = await blank();
    await using _ = disk;
    const job: Job = { verb: "apply", given: [own], directory: ledger() };
    await caught(machine.apply(job, await insteadOfMkfs(script)));
    if (script.endsWith('"$@"')) {
      await waitUntil("mkfs", 20_000, async () => (await readXfsHead(disk.path))?.inProgress === false);
      await waitUntil(
        "its end",
        20_000,
        async () => (await machine.sh("pgrep -xc real || true")).stdout.trim() === "0",
      );
    }
    expect((await machine.apply(job)).errors).toEqual([]);
    expect(await readXfsHead(disk.path)).toEqual({ uuid: own.uuid, label: own.label, inProgress: false });
    expect(await machine.apply(job)).toEqual({ changes: [], errors: [] });
  });

  test("and so was mkfs: refused, for nobody can tell whose it is", async () => {
    const { disk, own } = await blank();
    await using _ = disk;
    const job: Job = { verb: "apply", given: [own], directory: ledger() };
    const half = `for disk in "$@"; do :; done; echo half | dd of=$disk seek=9 conv=notrunc,fsync status=none; kill -9 $PPID`;
    await caught(machine.apply(job, await insteadOfMkfs(half)));
    const before = await disk.digest();
    expect((await machine.apply(job)).errors).toMatchObject([{ code: "disk.refused" }]);
    expect(await disk.digest()).toBe(before);
  });
});
