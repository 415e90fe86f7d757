import { constants, open } from "node:fs/promises";
import { refused } from "../../core/errors.ts";
import { inTurns } from "../../core/in-turns.ts";
import { disksAtOnce } from "./at-once.ts";
import { listDevices } from "./lsblk.ts";
import { numberAt } from "./number.ts";
import { shared } from "./shared.ts";
import { readKernelView } from "./sysfs.ts";
import type { Device } from "./types.ts";

/** The head of an XFS: how it is called, and whether its making came to an end. */
export interface XfsHead {
  uuid: string;
  label: string;
  /** mkfs(8) has begun and not finished; no kernel mounts it. */
  inProgress: boolean;
}

/** Pure: the first sector (xfs_format.h, struct xfs_dsb); undefined where it is no XFS. */
function parseXfsHead(sector: Buffer): XfsHead | undefined {
  if (sector.length < 512 || sector.toString("latin1", 0, 4) !== "XFSB") return undefined;
  const [, ...groups] = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(sector.toString("hex", 32, 48)) ?? [];
  return {
    uuid: groups.join("-"),
    label: sector.toString("latin1", 108, 120).replace(/\0.*$/s, ""),
    inProgress: sector[126] !== 0,
  };
}

/** @throws Error when the device cannot be opened or read */
export async function readXfsHead(path: string): Promise<XfsHead | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const sector = Buffer.alloc(512);
    await handle.read(sector, 0, sector.length, 0);
    return parseXfsHead(sector);
  } finally {
    await handle.close();
  }
}

/** A disk with an XFS on it. */
export interface XfsDisk {
  device: Device;
  head: XfsHead;
}

const lookForXfs = shared(async () => {
  const found: XfsDisk[] = [];
  await inTurns((await listDevices()).filter(mayCarry), disksAtOnce, async (device) => {
    const head = await readXfsHead(device.path).catch(() => undefined);
    if (head) found.push({ device, head });
  });
  return found;
});

/** The whole disks that carry the XFS with this UUID: one, as a rule. One that cannot be read carries nothing. */
export async function findXfs(uuid: string): Promise<XfsDisk[]> {
  return (await lookForXfs()).filter(({ head }) => head.uuid === uuid);
}

/** The one that does; undefined where there is none. @throws ChimeError `disk.twice` */
export async function findOneXfs(uuid: string): Promise<XfsDisk | undefined> {
  const [one, other] = await findXfs(uuid);
  if (!one || !other) return one;
  throw refused(
    "disk.twice",
    `${one.device.path} and ${other.device.path} both carry the file system ${uuid}`,
    {
      remedy: "take the copy out of this machine, then run this again",
    },
  );
}

function mayCarry({ type, removable, size, path, number, kernelName }: Device): boolean {
  if (!["disk", "mpath", "loop"].includes(type) || removable || size === 0) return false;
  if (numberAt(path) !== number) return false;
  try {
    // One of several ways to a disk, of which the device upon it is the one to use.
    return readKernelView(kernelName).holders.length === 0;
  } catch {
    return false;
  }
}
