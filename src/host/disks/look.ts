import { existsSync, statSync } from "node:fs";
import { lookAtContents } from "./content.ts";
import { holdEach } from "./hold.ts";
import { judge, worthHolding } from "./judge.ts";
import { keepOpen } from "./keep-open.ts";
import { listLoops } from "./loops.ts";
import { listDevices } from "./lsblk.ts";
import { readBelongings, type Belongings } from "./members.ts";
import { readStableNames } from "./names.ts";
import { blockNumber, numberAt } from "./number.ts";
import { lookAtProcesses, type Processes } from "./openers.ts";
import { readKernelView, readState, type KernelView } from "./sysfs.ts";
import type { Backing, Content, Device, DiskFacts, Verdict } from "./types.ts";

/** A device with what is known about it and what follows from that. */
export interface Disk {
  facts: DiskFacts;
  verdict: Verdict;
}

/** What is known about the whole machine, of which every device takes its part. */
interface Machine {
  devices: readonly Device[];
  kernel: ReadonlyMap<string, KernelView | Error>;
  belongings: Belongings;
  processes: Processes;
  loops: { device: string; backing: Backing }[];
  names: ReadonlyMap<string, string>;
  container: boolean;
  trouble: string[];
}

/**
 * Looks at every block device and judges it, writing nothing. What seems free is opened alone for a few ms at the end,
 * in which nobody else can mount it; `wanted` leaves others' devices alone.
 * @throws ChimeError `disks.unreadable` when not even a list of devices is to be had
 */
export async function lookAtDisks(wanted: (device: Device) => boolean = () => true): Promise<Disk[]> {
  const devices = await listDevices();
  const kernel = new Map(devices.map(({ kernelName }) => [kernelName, viewOf(kernelName)]));
  // Before anything of ours has the devices open.
  const processes = lookAtProcesses();
  const chosen = devices.filter(wanted);
  const paths = chosen.filter(readable).map(({ path }) => path);
  await using _kept = await keepOpen(paths);
  const [contents, machine] = await Promise.all([
    lookAtContents(paths),
    askMachine({ devices, kernel, processes }),
  ]);
  const looks = chosen.map((device) => factsOf(device, machine, contents.get(device.path)));
  const holds = await holdEach(looks.filter(worthHolding).map(({ device }) => device));
  return looks.map((seen) => {
    const trouble = [...seen.trouble, ...changesOf(seen.device, machine)];
    const facts = { ...seen, hold: holds.get(seen.device), trouble };
    return { facts, verdict: judge(facts) };
  });
}

async function askMachine(seen: Pick<Machine, "devices" | "kernel" | "processes">): Promise<Machine> {
  const trouble: string[] = [];
  const [belongings, loops] = await Promise.all([
    readBelongings(),
    seen.devices.some(({ type }) => type === "loop")
      ? listLoops().catch((error: unknown) => {
          trouble.push((error as Error).message);
          return [];
        })
      : [],
  ]);
  return {
    ...seen,
    belongings,
    loops: loops.map(({ device, ...backing }) => ({ device, backing })),
    names: readStableNames(),
    container: existsSync("/run/systemd/container"),
    trouble: [...trouble, ...belongings.trouble, ...seen.processes.trouble],
  };
}

function viewOf(kernelName: string): KernelView | Error {
  try {
    return readKernelView(kernelName);
  } catch (error) {
    return error as Error;
  }
}

/** A drive without a medium would be asked for one; nothing that is refused anyway is worth that. */
function readable(device: Device): boolean {
  return device.type !== "rom" && !device.removable && device.size > 0 && nodeOf(device) === "there";
}

function nodeOf({ path, number }: Device): DiskFacts["node"] {
  const info = statSync(path, { throwIfNoEntry: false });
  if (!info) return "missing";
  return blockNumber(info) === number ? "there" : "other";
}

function factsOf(device: Device, machine: Machine, content: Content | undefined): DiskFacts {
  const view = machine.kernel.get(device.kernelName);
  const seen = view instanceof Error ? undefined : view;
  const unseen = view instanceof Error ? view.message : "sysfs does not show it";
  const backing = machine.loops.find((loop) => loop.device === device.path)?.backing ?? null;
  const family = withDescendants(device, machine);
  const { belongings, processes } = machine;
  const array = belongings.arrays.get(device.kernelName);
  return {
    device,
    stableName: machine.names.get(device.number) ?? device.path,
    state: seen?.state ?? "",
    node: nodeOf(device),
    virtual: seen?.virtual ?? false,
    partitions: seen?.partitions ?? [],
    holders: [...(seen?.holders ?? []), ...loopsOn(device, machine)],
    mounts: mountsOf(family, machine),
    swap: family.some(({ number }) => belongings.swaps.has(number)),
    members: [array, belongings.members.get(device.number)].filter((name) => name !== undefined),
    namedIn: [belongings.named.get(device.number)].filter((file) => file !== undefined),
    openIn: [device.number, backing?.identity].flatMap((key) => processes.open.get(key ?? "") ?? []),
    twins: twinsOf(device, backing, machine),
    backing,
    container: machine.container,
    content: {
      signatures: [
        ...new Set([...(content?.signatures ?? []), ...(device.fileSystem ? [device.fileSystem] : [])]),
      ],
      trouble: content?.trouble ?? ["what it carries was not asked"],
    },
    hold: undefined,
    trouble: seen ? machine.trouble : [...machine.trouble, unseen],
  };
}

/** The device and everything that lies on it, partitions and mappings alike. */
function withDescendants(device: Device, machine: Machine, seen = new Set<string>()): Device[] {
  if (seen.has(device.kernelName)) return [];
  seen.add(device.kernelName);
  const view = machine.kernel.get(device.kernelName);
  const names = view && !(view instanceof Error) ? [...view.partitions, ...view.holders] : [];
  const children = [...names, ...loopsOn(device, machine)].flatMap((name) =>
    machine.devices.filter(({ kernelName }) => kernelName === name),
  );
  return [device, ...children.flatMap((child) => withDescendants(child, machine, seen))];
}

/** Loop devices whose file is this device: the kernel does not count them as holders. */
function loopsOn({ path }: Device, { loops }: Machine): string[] {
  return loops
    .filter(({ backing }) => backing.place === "device" && numberAt(backing.file) === numberAt(path))
    .map(({ device }) => device.slice("/dev/".length));
}

function mountsOf(family: readonly Device[], { processes }: Machine): DiskFacts["mounts"][number][] {
  const numbers = new Set(family.map(({ number }) => number));
  const paths = new Set(family.map(({ path }) => path));
  const found = processes.mounts.filter(
    // btrfs and the like have numbers of their own; there the source has to do.
    ({ number, source }) => numbers.has(number) || paths.has(source) || numbers.has(sourceNumber(source)),
  );
  const mounts = new Map(found.map(({ target, where }) => [`${where} ${target}`, { target, where }]));
  return [...mounts.values()];
}

function sourceNumber(source: string): string {
  return (source.startsWith("/dev/") ? numberAt(source) : undefined) ?? "";
}

/** The same storage under two names: two ways to one disk without multipath, two loops of one file. */
function twinsOf(device: Device, backing: Backing | null, { devices, loops }: Machine): string[] {
  if (backing) {
    const same = loops.filter(
      (loop) => loop.device !== device.path && loop.backing.identity === backing.identity,
    );
    return same.map((loop) => loop.device);
  }
  const own = identityOf(device);
  if (device.type !== "disk" || own === undefined) return [];
  return devices
    .filter((other) => other.type === "disk" && other !== device && identityOf(other) === own)
    .map(({ path }) => path);
}

function identityOf({ wwn, serial, model, size }: Device): string | undefined {
  if (wwn) return wwn;
  return serial ? `${model} ${serial} ${size}` : undefined;
}

/** Whether it is still what it was when the look began. */
function changesOf({ kernelName, size, number }: Device, { kernel }: Machine): string[] {
  const before = kernel.get(kernelName);
  if (!before || before instanceof Error) return [];
  try {
    const state = readState(kernelName);
    const [nowNumber, sectors] = state.split(" ");
    if (state === before.state && nowNumber === number && Number(sectors) * 512 === size) return [];
    return ["it changed while it was looked at"];
  } catch (error) {
    return [(error as Error).message];
  }
}
