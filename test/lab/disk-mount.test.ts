import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFile, open, truncate } from "node:fs/promises";
import { join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { exec } from "../../src/core/exec.ts";
import type { GivenDisk } from "../../src/host/disks/record.ts";
import type { Status } from "../../src/agent/status.ts";
import { chime } from "./chime.ts";
import type { Done, Job } from "./disk-apply-program.ts";
import { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import { given } from "./machine.ts";
import type { LabNode } from "./node.ts";
import { initialize } from "./pair.ts";
import { programOf } from "./program.ts";
import { waitUntil } from "./wait.ts";

/** No other lab on this machine has disks of this size: the agent takes one that comes for its own. */
const bytes = 2 ** 30 + 4096 * (1 + (process.pid % 10_000));

/** A node of a cluster with two disks that were formatted for it. */
let lab: Lab;
let node: LabNode;
let disks: [LoopDevice, LoopDevice];
let own: GivenDisk[];
beforeAll(async () => {
  const binary = await buildBinary();
  lab = await Lab.open({ nodes: ["node1"], boot: false });
  node = lab.node("node1");
  disks = [
    await LoopDevice.attach(join(lab.work, "a.img"), { bytes }),
    await LoopDevice.attach(join(lab.work, "b.img"), { bytes }),
  ];
  node.devices = disks.map(({ path }) => path);
  await node.boot();
  await node.install(binary);
  own = disks.map(({ path: name }, i) =>
    given({ name, model: null, serial: null, wwn: null, size: bytes, state: "", boot: "" }, i + 1),
  );
  for (const [i, { label, uuid }] of own.entries()) {
    await exec(["mkfs.xfs", "-q", "-L", label, "-m", `uuid=${uuid}`, disks[i]?.path ?? ""]);
  }
  await copyFile(process.execPath, node.path("/usr/local/bin/bun"));
  const program = await programOf(join(import.meta.dir, "disk-apply-program.ts"));
  await node.put("/root/disk-apply-program.js", program);
  await node.put("/var/lib/chime-node/disks.json", JSON.stringify({ disks: own }));
  await initialize(lab);
}, 160_000);
afterAll(() => lab?.close());

async function run(verb: Job["verb"]): Promise<Done> {
  const job: Job = { verb, given: own, directory: "/var/lib/store", mounts: true };
  const argv = ["/usr/local/bin/bun", "/root/disk-apply-program.js", JSON.stringify(job)];
  return JSON.parse((await node.run(argv)).stdout) as Done;
}

/** Which label is mounted at which place, and how. */
async function mounts(): Promise<string[]> {
  const { stdout } = await node.sh("findmnt --raw --noheadings --type xfs --output TARGET,OPTIONS || true");
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("/store/"))
    .map((line) => `${line.split(" ")[0]} ${/noatime/.exec(line)?.[0]}`)
    .toSorted();
}
const both = ["/store/disk1 noatime", "/store/disk2 noatime"];

const units = async () => (await node.sh("ls -d /etc/systemd/system/store* 2>/dev/null || true")).stdout;

/** As of the agent's last look at itself, a second ago at most. */
const alarms = async () =>
  (await chime<Status>(node, ["status"])).json.problems.filter(({ code }) => code.startsWith("disk."));

test("a place that is not free is refused, and nothing is mounted there", async () => {
  await node.sh(
    "mkdir -p /store/disk1 /store/disk2; touch /store/disk1/file; mount -t tmpfs tmpfs /store/disk2",
  );
  const { errors } = await run("apply");
  expect(errors.map(({ code }) => code).toSorted()).toEqual(["mount.not_empty", "mount.other"]);
  expect(await mounts()).toEqual([]);
  // Or the agent would miss the disk there.
  expect(await units()).toBe("");
  await node.sh("umount /store/disk2; rm -r /store");
});

test("mounted by UUID at places where nothing else can be written; twice changes nothing", async () => {
  const { changes, errors } = await run("apply");
  expect(errors).toEqual([]);
  expect(changes.map(({ what }) => what)).toContain("mount:/store/disk1 create none");
  expect(await mounts()).toEqual(both);
  await node.sh("echo one >/store/disk1/which; echo two >/store/disk2/which");
  expect(await run("apply")).toEqual({ changes: [], errors: [] });
  // Its last look may have been at a unit that was not started yet.
  await waitUntil("no alarm", 10_000, async () => (await alarms()).length === 0);
});

test("unmounted by hand: an alarm, no write to the place, and nobody mounts it but apply", async () => {
  await node.sh("umount /store/disk1");
  expect((await node.sh("touch /store/disk1/x", { check: false })).stderr).toMatch("Operation not permitted");
  await waitUntil("the alarm", 60_000, async () => (await alarms()).length === 1);
  expect(await alarms()).toMatchObject([
    {
      code: "disk.missing",
      severity: "error",
      message: expect.stringMatching(/^nothing is mounted at \/store\/disk1 of node1, /),
    },
  ]);
  expect((await run("apply")).changes.map(({ what }) => what)).toEqual(["mount:/store/disk1 create none"]);
  expect(await mounts()).toEqual(both);
  await waitUntil("its end", 60_000, async () => (await alarms()).length === 0);
});

test("a disk that cannot be mounted is the only one that is not", async () => {
  const [, bad] = disks;
  // Of the superblock's checksum (xfs_format.h, sb_crc): by its head it is still the one.
  const flip = async () => {
    const image = await open(bad.path, "r+");
    const byte = Buffer.alloc(1);
    await image.read(byte, 0, 1, 224);
    await image.write(Buffer.from([~(byte[0] ?? 0) & 0xff]), 0, 1, 224);
    await image.sync();
    await image.close();
  };
  await node.sh("umount /store/disk1 /store/disk2");
  await flip();
  const { changes, errors } = await run("apply");
  expect(changes.map(({ what }) => what)).toEqual([
    "mount:/store/disk1 create none",
    "mount:/store/disk2 create none",
  ]);
  expect(errors.map(({ message }) => message.split(": ")[0])).toEqual(["mount:/store/disk2"]);
  expect(await mounts()).toEqual(["/store/disk1 noatime"]);
  await flip();
  expect((await run("apply")).errors).toEqual([]);
  expect(await mounts()).toEqual(both);
});

test("after a boot with names that moved, each is at its own place", async () => {
  await node.shutdown();
  const old = disks;
  disks = [await LoopDevice.again(old[0].file), await LoopDevice.again(old[1].file)];
  for (const { path } of old) await exec(["losetup", "--detach", path]);
  node.devices = disks.map(({ path }) => path);
  await node.boot();
  expect(await mounts()).toEqual(both);
  expect((await node.sh("cat /store/disk1/which /store/disk2/which")).stdout).toBe("one\ntwo\n");
  expect(await run("apply")).toEqual({ changes: [], errors: [] });
});

test("one that is missing stops neither the boot nor the other; it is told, and mounted when it shows up", async () => {
  await node.shutdown();
  const [one, two] = disks;
  await exec(["losetup", "--detach", one.path]);
  node.devices = [two.path];
  await node.boot({ mayFail: ["store-disk1.mount"] });
  expect(await mounts()).toEqual(["/store/disk2 noatime"]);
  expect(await run("apply")).toEqual({ changes: [], errors: [] });
  await waitUntil("the alarm", 60_000, async () => (await alarms()).length === 1);
  // Of another size at first, so that it comes only when its node is there: the agent sees sizes alone.
  await truncate(one.file, bytes + 4096);
  const late = await LoopDevice.again(one.file);
  await node.plug(late.path);
  await truncate(one.file, bytes);
  await exec(["losetup", "--set-capacity", late.path]);
  await waitUntil("the mount", 60_000, async () => (await mounts()).length === 2);
  await waitUntil("the end of the alarm", 60_000, async () => (await alarms()).length === 0);
  expect((await node.sh("cat /store/disk1/which")).stdout).toBe("one\n");
});

test("taken back: places and units are gone, what is on the disks is not", async () => {
  expect((await run("undo")).errors).toEqual([]);
  expect(await mounts()).toEqual([]);
  expect((await node.sh("ls -d /store 2>/dev/null || true")).stdout + (await units())).toBe("");
  await node.sh(`mount -t xfs UUID=${own[0]?.uuid} /mnt; cat /mnt/which; umount /mnt`);
});
