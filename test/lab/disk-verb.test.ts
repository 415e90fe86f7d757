import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import type { DiskReport } from "../../src/operations/disks.ts";
import type { PreflightReport } from "../../src/host/preflight.ts";
import { exec } from "../../src/core/exec.ts";
import { chime } from "./chime.ts";
import { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import type { LabNode } from "./node.ts";
import { start } from "./process.ts";
import { waitUntil } from "./wait.ts";

describe("a node with two disks of its own", () => {
  let lab: Lab;
  let node: LabNode;
  let free: LoopDevice;
  let used: LoopDevice;
  beforeAll(async () => {
    const binary = await buildBinary();
    lab = await Lab.open({ nodes: ["node1"] });
    node = lab.node("node1");
    await node.install(binary);
    free = await LoopDevice.attach(join(lab.work, "free.img"));
    used = await LoopDevice.attach(join(lab.work, "used.img"));
    await exec(["mkfs.xfs", "-q", used.path]);
    for (const { path } of [free, used]) await node.plug(path);
  }, 300_000);
  afterAll(async () => {
    await lab?.close();
  });

  test("disks shows them, and the host's as the host's", async () => {
    const before = await free.digest();
    const { code, json } = await chime<{ disks: DiskReport[] }>(node, ["disks"]);
    expect(code).toBe(0);
    const of = (disk: LoopDevice) => json.disks.find(({ name }) => name === disk.path);
    expect(of(free)).toEqual({
      name: free.path,
      kernel_name: free.path.slice("/dev/".length),
      type: "loop",
      size_bytes: 2 ** 30,
      model: null,
      serial: null,
      wwn: null,
      carries: [],
      usable: true,
      reason: null,
      warnings: [expect.stringMatching("is a loop device: a file on another disk")],
    });
    expect(of(used)).toMatchObject({ usable: false, carries: ["xfs"], reason: { code: "content" } });
    const others = json.disks.filter(({ name }) => name !== free.path && name !== used.path);
    expect(others.filter(({ reason }) => reason?.code !== "no_node")).toEqual([]);
    expect(await free.digest()).toBe(before);
  });

  test("the table for people", async () => {
    const { stdout } = await node.run(["chime-node", "disks"]);
    const [head, first] = stdout.split("\n");
    expect(head).toMatch(/^NAME +KERNEL +SIZE +MODEL +SERIAL +CARRIES +USABLE +WHY$/);
    expect(first).toMatch(new RegExp(`^${free.path} +loop\\d+ +1 GiB .* yes `));
    expect(stdout).toMatch(new RegExp(`${used.path} .* xfs +no +carries xfs`));
  });

  test("preflight gives the same answer, and --ignore is no way around it", async () => {
    const ask = async (...words: string[]) => {
      const { code, json } = await chime<PreflightReport>(node, ["preflight", ...words]);
      return {
        code,
        found: json.checks?.filter(({ name }) => name === "disk").map((c) => [c.result, c.message]),
      };
    };
    const kernelName = free.path.slice("/dev/".length);
    expect((await ask("--disk", kernelName)).found).toEqual([
      ["warning", expect.stringMatching(new RegExp(`^${kernelName} is a loop device`))],
    ]);
    expect(await ask("--disk", used.path, "--disk", free.path, "--disk", kernelName)).toEqual({
      code: 3,
      found: [
        ["error", `${used.path} carries xfs`],
        ["warning", expect.any(String)],
        ["error", `${kernelName} is the same disk as ${free.path}`],
      ],
    });
    expect((await ask("--disk", used.path, "--ignore", "disk")).code).toBe(2);
    expect(await ask("--disk", "auto:1x1G")).toMatchObject({
      found: [["warning", `auto:1x1G would take ${free.path}`]],
    });
    expect(await ask("--disk", "auto:2x1G")).toMatchObject({
      code: 3,
      found: [["error", "auto:2x1G finds only 1 free disk of one size; free: 1 of 1 GiB"]],
    });
  });

  test("only root can tell", async () => {
    const argv = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "chime-node", "disks"];
    const { code, stderr } = await node.run(argv, { check: false });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching("this needs root") });
  });
});

test("loop devices of a killed run, one upon another, go with the next one", async () => {
  const program = `
    const { Lab } = await import(${JSON.stringify(join(import.meta.dir, "lab.ts"))});
    const { LoopDevice } = await import(${JSON.stringify(join(import.meta.dir, "loops.ts"))});
    const { DiskMachine } = await import(${JSON.stringify(join(import.meta.dir, "machine.ts"))});
    const lab = await Lab.open({ nodes: [], boot: false });
    const machine = await DiskMachine.start(lab);
    const disk = await LoopDevice.attach(lab.work + "/a.img");
    await machine.sh("mkfs.ext4 -q " + disk.path + " && mount " + disk.path + " /mnt");
    const below = await LoopDevice.attach(lab.work + "/b.img");
    const upon = await LoopDevice.again(below.path);
    console.log("open", lab.id, disk.path, below.path, upon.path);
    setInterval(() => {}, 1000);`;
  const env = { XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? "" };
  const running = start([process.execPath, "-e", program], { env });
  const said = () => running.lines.find((line) => line.startsWith("open "))?.split(" ") ?? [];
  await waitUntil("the other process", 60_000, () => said().length > 0 || running.ended);
  const [, id = running.lines.join("\n"), ...devices] = said();
  const attached = async () => {
    const { stdout } = await exec(["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"]);
    return stdout.split("\n").filter((line) => line.includes(id) || line.includes(`${devices[1]} `));
  };
  expect(await attached()).toHaveLength(2);
  running.signal("SIGKILL");
  await running.exited;
  await (await Lab.open({ nodes: [], boot: false })).close();
  expect(await attached()).toEqual([]);
}, 90_000);
