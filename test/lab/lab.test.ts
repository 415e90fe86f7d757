import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { BusyCores } from "./busy.ts";
import { Lab } from "./lab.ts";
import { clientAddress, gateway } from "./network.ts";
import { start } from "./process.ts";
import { waitUntil } from "./wait.ts";

/** Everything on the host that carries the lab's id. */
async function traces(id: string): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  const names = [...(await readdir("/run/netns").catch(() => [])), ...(await readdir("/run"))];
  const loops = (await exec(["losetup", "--list", "--noheadings", "--output", "BACK-FILE"])).stdout.split(
    "\n",
  );
  const cgroups = (await exec(["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", `*${id}*`])).stdout.split(
    "\n",
  );
  const processes = (await exec(["ps", "-eo", "args"])).stdout
    .split("\n")
    .filter((line) => !line.includes("find "));
  return [...mounts, ...names, ...loops, ...cgroups, ...processes].filter((line) => line.includes(id));
}

/** True when a TCP connection gets an answer, if only a refusal. */
async function answers(from: Pick<Lab["client"], "run">, address: string): Promise<boolean> {
  const probe = `exec 3<>/dev/tcp/${address}/9`;
  const result = await from.run(["timeout", "0.5", "bash", "-c", probe], { check: false });
  return result.stderr.includes("refused");
}

describe("a lab with two nodes", () => {
  let lab: Lab;
  beforeAll(async () => {
    const data = { path: "/srv", sizeMiB: 64 };
    lab = await Lab.open({
      nodes: [
        { name: "node1", data },
        { name: "node2", gateway: false },
      ],
    });
  }, 300_000);
  afterAll(() => lab?.close());

  test("the nodes are bare, named, and reach each other, the gateway and the client", async () => {
    const [a, b] = [lab.node("node1"), lab.node("node2")];
    expect((await a.run(["hostname"])).stdout.trim()).toBe("node1");
    expect(
      (await a.run(["dpkg-query", "-W", "mariadb-server", "keepalived"], { check: false })).code,
    ).not.toBe(0);
    for (const address of [b.address, gateway, clientAddress]) expect(await answers(a, address)).toBe(true);
    expect((await b.run(["ip", "route", "show", "default"])).stdout).toBe("");
  });

  test("packages come from the mirror alone", async () => {
    const { stdout } = await lab
      .node("node1")
      .sh("apt-get update -q >/dev/null && apt-cache policy mariadb-server keepalived");
    expect(stdout.match(/Candidate: \d\S+/g)).toHaveLength(2);
    expect(stdout).not.toContain("http");
  });

  test("a file that is put keeps content and mode", async () => {
    const node = lab.node("node1");
    await node.put("/etc/lab/secret", "x\n", 0o600);
    expect(await node.read("/etc/lab/secret")).toBe("x\n");
    expect((await node.run(["stat", "-c", "%a %U", "/etc/lab/secret"])).stdout.trim()).toBe("600 root");
  });

  test("cuts: carrier is seen by the node, a silent one is not, one way is one way", async () => {
    const [a, b] = [lab.node("node1"), lab.node("node2")];
    const carrier = async () =>
      (await a.run(["cat", "/sys/class/net/eth0/carrier"], { check: false })).stdout.trim();
    await a.cutPort("silent");
    expect(await carrier()).toBe("1");
    expect(await answers(lab.client, a.address)).toBe(false);
    await a.heal();
    await waitUntil("node1 to answer", 30_000, () => answers(lab.client, a.address));
    await a.cutPort("carrier");
    await waitUntil("node1 to see its cable cut", 30_000, async () => (await carrier()) === "0");
    await a.heal();
    await waitUntil("node1 to answer", 30_000, () => answers(lab.client, a.address));
    await a.dropFrom(b);
    expect(await answers(b, a.address)).toBe(false);
    expect(await answers(lab.client, a.address)).toBe(true);
    await a.heal();
    await waitUntil("node1 to answer node2", 30_000, () => answers(b, a.address));
    await a.loss(100);
    expect(await answers(lab.client, a.address)).toBe(false);
    await a.heal();
    await lab.network.addFault({ kind: "loss", port: "all", permille: 1_000 });
    expect(await answers(b, a.address)).toBe(false);
    await lab.network.healAll();
    await waitUntil("node1 to answer node2", 30_000, () => answers(b, a.address));
  });

  test("cores are kept busy until told, or until their time is over", async () => {
    const node = lab.node("node1");
    const loops = async () =>
      (await node.run(["pgrep", "-fc", "^sh -c while"], { check: false })).stdout.trim();
    const busy = new BusyCores(node, 60);
    await waitUntil("the loops", 30_000, async () => Number(await loops()) === busy.running);
    expect(busy.running).toBe(availableParallelism());
    await busy.stop();
    expect(busy.running).toBe(0);
    // One that was killed is there until its parent has heard of it.
    await waitUntil("no loop to be left", 10_000, async () => (await loops()) === "0");
    const short = new BusyCores(node, 1);
    await waitUntil("their time to be over", 30_000, () => short.running === 0);
    expect(await loops()).toBe("0");
  });

  test("a data disk can be full and frozen", async () => {
    const node = lab.node("node1");
    const write = () => node.start(["sh", "-c", "echo x >/srv/x && sync /srv/x"]);
    const free = await node.fillDisk("/srv");
    expect(
      (await node.run(["dd", "if=/dev/zero", "of=/srv/y", "bs=1M", "count=1"], { check: false })).stderr,
    ).toContain("No space left");
    await free();
    expect(await write().exited).toBe(0);
    await node.freeze();
    const held = write();
    await Bun.sleep(300);
    expect(held.ended).toBe(false);
    await node.thaw();
    expect(await held.exited).toBe(0);
  });

  test("power off is silent, and the disk is there after the next boot, one that failed, too; shutdown runs the units' stops", async () => {
    const node = lab.node("node1");
    await node.sh("echo kept >/root/kept; sync");
    const program = lab.client.start(["sleep", "60"]);
    await node.failDisk();
    expect((await node.run(["touch", "/srv/z"], { check: false })).stderr).toContain("Read-only file system");
    await node.powerOff();
    expect(node.running).toBe(false);
    expect(await answers(lab.client, node.address)).toBe(false);
    await node.boot();
    expect(await node.read("/root/kept")).toBe("kept\n");
    await node.run(["touch", "/srv/z"]);
    expect(program.ended).toBe(false);
    program.signal("SIGKILL");
    await node.put(
      "/etc/systemd/system/last.service",
      "[Service]\nRemainAfterExit=yes\nExecStart=true\nExecStop=touch /root/stopped\n",
    );
    await node.run(["systemctl", "start", "last.service"]);
    await node.shutdown();
    await node.boot();
    expect(await node.read("/root/stopped")).toBe("");
  }, 60_000);

  test("a second lab runs beside it, with the same addresses, and leaves nothing", async () => {
    const other = await Lab.open({ nodes: ["node1"] });
    expect(other.node("node1").address).toBe(lab.node("node1").address);
    expect(await traces(other.id)).not.toEqual([]);
    await other.close();
    expect(await traces(other.id)).toEqual([]);
    expect((await lab.node("node1").run(["true"])).code).toBe(0);
  }, 60_000);
});

describe("a lab whose process ends without closing it", () => {
  /** Opens a lab in another process, which prints its id and then waits; its data disk is frozen. */
  const program = `
    const { Lab } = await import(${JSON.stringify(join(import.meta.dir, "lab.ts"))});
    const lab = await Lab.open({ nodes: [{ name: "node1", data: { path: "/srv", sizeMiB: 64 } }] });
    await lab.node("node1").freeze();
    lab.node("node1").start(["sh", "-c", "echo x >/srv/x"]);
    console.log("open", lab.id);
    setInterval(() => {}, 1000);`;
  async function openElsewhere() {
    const env = { XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? "" };
    const running = start([process.execPath, "-e", program], { env });
    const line = () => running.lines.find((line) => line.startsWith("open "));
    await waitUntil("the other process to open its lab", 60_000, () => line() !== undefined || running.ended);
    return { running, id: line()?.slice(5) ?? running.lines.join("\n") };
  }

  test("Ctrl-C takes it down", async () => {
    const { running, id } = await openElsewhere();
    expect(await traces(id)).not.toEqual([]);
    running.signal("SIGINT");
    expect(await running.exited).toBe(130);
    expect(await traces(id)).toEqual([]);
  }, 90_000);

  test("after kill -9 the next lab takes it down", async () => {
    const { running, id } = await openElsewhere();
    running.signal("SIGKILL");
    await running.exited;
    expect(await traces(id)).not.toEqual([]);
    const next = await Lab.open({ nodes: ["node1"], boot: false });
    await next.close();
    expect(await traces(id)).toEqual([]);
  }, 90_000);
});
