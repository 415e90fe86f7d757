import { readFile } from "node:fs/promises";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { randomBytes } from "node:crypto";
import { exec, type ExecOptions, type ExecResult } from "../../src/core/exec.ts";
import { createCgroup, destroyCgroup, inCgroup } from "./cgroup.ts";
import { LoopDisk } from "./disk.ts";
import type { Image } from "./image.ts";
import type { Network } from "./network.ts";
import { start, type Running } from "./process.ts";
import { mountsBelow } from "./state.ts";
import { waitUntil } from "./wait.ts";

export interface NodeOptions {
  name: string;
  /** Default true: a default route by the lab's gateway, which answers. */
  gateway?: boolean;
  /** A file system of its own for this path, so that it can be filled or frozen. */
  data?: { path: string; sizeMiB: number; type?: "ext4" | "xfs" };
  /** Puts everything the node writes to its root on a disk of this size. */
  rootSizeMiB?: number;
}

export interface RunOptions extends Omit<ExecOptions, "ok" | "cwd"> {
  /** Default true: a non-zero exit throws. */
  check?: boolean;
}

/** What a node needs of its lab. */
export interface Surroundings {
  id: string;
  work: string;
  image: Image;
  network: Network;
}

/** No disk of a lab is larger. */
const largestDiskKiB = 8 << 20;

/** A bare Debian server in a container: booted by its own systemd, wired to the lab's bridge. */
export class LabNode {
  readonly name: string;
  readonly address: string;
  readonly options: NodeOptions;
  /** Block devices that it has from its next boot on, by their paths; `plug` gives it one at once. */
  devices: readonly string[] = [];
  readonly #port: number;
  readonly #lab: Surroundings;
  readonly #directory: string;
  readonly #disks: { data?: LoopDisk; root?: LoopDisk } = {};
  #machine: { nspawn: Running; leader: number } | undefined;

  constructor(lab: Surroundings, options: NodeOptions, port: number, address: string) {
    this.name = options.name;
    this.options = options;
    this.address = address;
    this.#lab = lab;
    this.#port = port;
    this.#directory = join(lab.work, options.name);
    const { data, rootSizeMiB } = options;
    if (data)
      this.#disks.data = new LoopDisk(join(this.#directory, "data"), data.sizeMiB, data.type ?? "ext4");
    if (rootSizeMiB) this.#disks.root = new LoopDisk(join(this.#directory, "disk"), rootSizeMiB, "ext4");
  }

  get running(): boolean {
    return this.#machine !== undefined;
  }

  /** Host pid of the node's init; `nsenter -t LEADER -a` enters it by hand. */
  get leader(): number {
    if (!this.#machine) throw new Error(`${this.name} is switched off`);
    return this.#machine.leader;
  }

  /**
   * Switches the node on and waits until its systemd has started everything. Its disk is as it was left.
   * @param mayFail units that are expected to fail
   */
  async boot({ mayFail = [] as readonly string[] } = {}): Promise<void> {
    if (this.#machine) throw new Error(`${this.name} is running already`);
    const root = await this.#mountRoot();
    await this.#disks.data?.mount();
    const { network, id } = this.#lab;
    await network.plug(this.name, this.#port, this.address, this.options.gateway ?? true);
    const bind = this.#disks.data ? [`--bind=${this.#disks.data.mountPoint}:${this.options.data?.path}`] : [];
    const nspawn = start(
      inCgroup(await createCgroup(`${id}/${this.name}`), [
        "env",
        // Without a lock file, which would stay behind: the root is this lab's alone.
        "SYSTEMD_NSPAWN_LOCK=0",
        // systemd 256 and newer boot on nothing else; the host may be hybrid.
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
        "systemd-nspawn",
        "--quiet",
        "--boot",
        "--keep-unit",
        "--register=no",
        "--settings=no",
        "--console=read-only",
        "--capability=all",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        `--network-namespace-path=/run/netns/${network.namespace(this.name)}`,
        // Names are global on the host, and another lab has a node1 too.
        `--machine=chime-lab-${id}-${this.name}`,
        `--hostname=${this.name}`,
        `--bind-ro=${this.#lab.image.mirror}:/mirror`,
        ...bind,
        ...this.devices.map((path) => `--bind=${path}`),
        `--directory=${root}`,
      ]),
    );
    try {
      this.#machine = { nspawn, leader: await findLeader(nspawn) };
      await this.#showOwnNetwork();
      await this.#waitForSystemd(mayFail);
    } catch (error) {
      const said = nspawn.lines.map((line) => line.trim()).filter(Boolean);
      const why = [(error as Error).message, ...said.slice(-3)].join(" | ");
      throw new Error(`${this.name} does not boot: ${why}`, { cause: error });
    }
  }

  async #mountRoot(): Promise<string> {
    const root = join(this.#directory, "root");
    if ((await mountsBelow(this.#directory)).includes(root)) return root;
    await this.#disks.root?.mount();
    const disk = this.#disks.root?.mountPoint ?? join(this.#directory, "disk");
    const upper = join(disk, "upper");
    for (const path of [root, upper, join(disk, "work")]) await mkdir(path, { recursive: true });
    if (!(await Bun.file(join(upper, "etc/machine-id")).exists())) {
      await mkdir(join(upper, "etc"), { recursive: true });
      await writeFile(join(upper, "etc/machine-id"), `${randomBytes(16).toString("hex")}\n`);
      await writeFile(join(upper, "etc/hostname"), `${this.name}\n`);
    }
    const layers = `lowerdir=${this.#lab.image.roots.join(":")},upperdir=${upper},workdir=${join(disk, "work")}`;
    await exec(["mount", "-t", "overlay", "overlay", "-o", layers, root]);
    return root;
  }

  /**
   * nspawn mounts sysfs before it enters a given network namespace, so /sys/class/net would list the host's, and it
   * lets nobody set the network's sysctls, as root on a server may.
   */
  async #showOwnNetwork(): Promise<void> {
    await this.sh(`mount -t sysfs -o ro sysfs /mnt
      for d in class/net devices/virtual/net; do mount --bind /mnt/$d /sys/$d; done
      umount /mnt
      mount -t proc proc /mnt
      mount --bind /mnt/sys/net /proc/sys/net
      umount /mnt`);
  }

  async #waitForSystemd(mayFail: readonly string[]): Promise<void> {
    let state = "";
    const isUp = async () => {
      if (this.#machine?.nspawn.ended) throw new Error("its container ended");
      state = (await this.run(["systemctl", "is-system-running"], { check: false })).stdout.trim();
      return state === "running" || state === "degraded";
    };
    await waitUntil(`${this.name} to boot`, 60_000, isUp).catch(async (error: Error) => {
      const jobs = ["systemctl", "list-jobs", "--no-legend"];
      const { stdout, stderr } = await this.run(jobs, { check: false });
      throw new Error(`${error.message}: ${state || "no systemd"}, waiting for ${(stdout || stderr).trim()}`);
    });
    if (state === "degraded") {
      const { stdout } = await this.run(["systemctl", "--failed", "--plain", "--no-legend"]);
      const units = stdout.split("\n").filter(Boolean);
      // None any more: it has come up meanwhile.
      if (units.every((line) => mayFail.includes(line.split(" ", 1)[0] ?? ""))) return;
      throw new Error(`units failed at boot: ${stdout.trim()}`);
    }
  }

  /** Runs a program in the node and collects its output. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<ExecResult> {
    const { check = true, ...rest } = options;
    return exec(this.#enter(argv), check ? rest : { ...rest, ok: "any" });
  }

  /** Runs a shell script in the node; the first failing command ends it. */
  async sh(script: string, options: RunOptions = {}): Promise<ExecResult> {
    return this.run(["sh", "-ec", script], options);
  }

  /** Starts a program in the node without waiting for it. */
  start(argv: readonly string[], options: { stdin?: string; env?: Record<string, string> } = {}): Running {
    return start(this.#enter(argv), options);
  }

  #enter(argv: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.leader), "-m", "-u", "-i", "-n", "-p", "-r", "--", ...argv];
  }

  /** A block device of the host shows up in the running node. */
  async plug(path: string): Promise<void> {
    const { stdout } = await exec(["stat", "-c", "%Hr %Lr", path]);
    await this.sh(`mknod ${path} b ${stdout}`);
  }

  /** The host's path of a file in the node; also of what is mounted there while the node runs. */
  path(path: string): string {
    return this.#machine ? `/proc/${this.leader}/root${path}` : join(this.#directory, "root", path);
  }

  async put(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const target = this.path(path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content, { mode });
    await chmod(target, mode);
  }

  async read(path: string): Promise<string> {
    return readFile(this.path(path), "utf8");
  }

  /** Copies the binary to where install.sh would put it. */
  async install(binary: string): Promise<void> {
    const target = this.path("/usr/local/bin/chime-node");
    await copyFile(binary, target);
    await chmod(target, 0o755);
  }

  /**
   * A power cut. The switch goes silent first, then everything is killed: a dead machine sends no FIN, and the
   * dead node's addresses answer nobody. (What only sat in the page cache survives: it is the host's.)
   * @returns when the node was dead, in ms on the clock of `Date.now()`
   */
  async powerOff(): Promise<number> {
    const leader = this.leader;
    await this.#lab.network.setForwarding(this.#port, false);
    process.kill(leader, "SIGKILL");
    const at = Date.now();
    await this.#afterDeath();
    return at;
  }

  /** An orderly shutdown, as by `poweroff` in the node. */
  async shutdown(): Promise<void> {
    await this.run(["systemctl", "--no-block", "poweroff"], { check: false });
    await waitUntil(`${this.name} to shut down`, 120_000, () => this.#machine?.nspawn.ended ?? true);
    await this.#afterDeath();
  }

  async #afterDeath(): Promise<void> {
    const machine = this.#machine;
    this.#machine = undefined;
    await this.#disks.data?.thaw();
    await this.#disks.root?.thaw();
    await this.#lab.network.unplug(this.name, this.#port);
    await destroyCgroup(`${this.#lab.id}/${this.name}`);
    await machine?.nspawn.exited;
    await this.#disks.data?.unmount();
  }

  /**
   * Cuts the node off. "carrier": its link goes down, which it sees at once. "silent": a cable cut further away,
   * its own link stays up and nothing passes.
   */
  async cutPort(how: "carrier" | "silent"): Promise<void> {
    if (how === "carrier") await this.#lab.network.setCarrier(this.#port, false);
    else await this.#lab.network.setForwarding(this.#port, false);
  }

  /** Ends `cutPort`, `dropFrom` and `loss` of this node, and what others drop of it. */
  async heal(): Promise<void> {
    await this.#lab.network.setCarrier(this.#port, true);
    await this.#lab.network.setForwarding(this.#port, true);
    await this.#lab.network.heal(this.#port);
  }

  /** One way: what `other` sends does not arrive here; the other direction works. */
  async dropFrom(other: LabNode): Promise<void> {
    await this.#lab.network.addFault({ kind: "drop", from: other.#port, to: this.#port });
  }

  /** Random loss of that share of the frames, each way. */
  async loss(percent: number): Promise<void> {
    await this.#lab.network.addFault({ kind: "loss", port: this.#port, permille: Math.round(percent * 10) });
  }

  /** Fills the file system that holds `directory` up to `leaveKiB`; returns what frees it again. */
  async fillDisk(directory: string, leaveKiB = 0): Promise<() => Promise<void>> {
    const file = join(directory, ".lab-ballast");
    await this.sh(
      `free=$(($(stat -f -c '%f * %S / 1024' ${directory}) - ${leaveKiB}))
       if [ "$free" -gt ${largestDiskKiB} ]; then echo "${directory} has $free KiB: that is the host's disk" >&2; exit 1; fi
       if [ "$free" -gt 0 ]; then fallocate -l "$free"KiB ${file} 2>/dev/null || dd if=/dev/zero of=${file} bs=64K 2>/dev/null || :; fi
       if [ ${leaveKiB} -eq 0 ]; then dd if=/dev/zero of=${file}-rest bs=512 2>/dev/null || :; fi`,
      { timeoutMs: 300_000 },
    );
    return async () => {
      await this.run(["rm", "-f", file, `${file}-rest`]);
    };
  }

  /** Every write to the data disk blocks until `thaw`. */
  async freeze(): Promise<void> {
    if (!this.#disks.data)
      throw new Error(`${this.name} has no data disk of its own: open the lab with \`data\``);
    await this.#disks.data.freeze();
  }

  async thaw(): Promise<void> {
    await this.#disks.data?.thaw();
  }

  /** The data disk is read-only from now on, until the next boot. */
  async failDisk(): Promise<void> {
    if (!this.#disks.data) throw new Error(`${this.name} has no data disk of its own`);
    await this.#disks.data.fail();
  }

  /** Signals the main process of a unit. Returns when that was done, in ms on the clock of `Date.now()`. */
  async kill(unit: string, signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
    const pid = await this.mainPid(unit);
    await this.run(["kill", "-s", signal.slice(3), String(pid)]);
    return Date.now();
  }

  /** SIGSTOP: the process hangs, its connections stay open. */
  async pause(unit: string): Promise<void> {
    await this.kill(unit, "SIGSTOP");
  }

  async resume(unit: string): Promise<void> {
    await this.kill(unit, "SIGCONT");
  }

  /** Main pid of a running unit, as the node counts pids. */
  async mainPid(unit: string): Promise<number> {
    const pid = Number((await this.run(["systemctl", "show", "--value", "-p", "MainPID", unit])).stdout);
    if (!(pid > 0)) throw new Error(`${unit} is not running on ${this.name}`);
    return pid;
  }
}

/** nspawn's child that is pid 1 in its own namespace and has become init: before, its mounts are the host's. */
async function findLeader(nspawn: Running): Promise<number> {
  let leader = 0;
  await waitUntil("systemd-nspawn to start", 20_000, async () => {
    if (nspawn.ended) throw new Error("systemd-nspawn ended");
    const children = await readFile(`/proc/${nspawn.pid}/task/${nspawn.pid}/children`, "utf8").catch(
      () => "",
    );
    for (const pid of children.split(" ").filter(Boolean)) {
      const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
      const pids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
      const started = /^Name:\s+(systemd|init)$/m.test(status);
      if (started && pids.length > 1 && pids.at(-1) === "1") leader = Number(pid);
    }
    return leader > 0;
  });
  return leader;
}
