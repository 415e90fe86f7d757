import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { systemClock } from "../../core/clock.ts";
import { refused } from "../../core/errors.ts";
import { inTurns } from "../../core/in-turns.ts";
import { tryLock } from "../../core/lock.ts";
import { disksAtOnce } from "./at-once.ts";
import { blockNumber } from "./number.ts";
import type { Device, Hold } from "./types.ts";

const MiB = 2 ** 20;
const zeros = Buffer.alloc(MiB);

/**
 * Opens each disk for this process alone and reads its first and last MiB. The kernel refuses where anything holds it:
 * a mount in whatever namespace, swap, MD, device mapper, btrfs, an external journal. Nothing is written.
 */
export async function holdEach(devices: readonly Device[]): Promise<Map<Device, Hold>> {
  const found = new Map<Device, Hold>();
  const buffers: Buffer[] = [];
  await inTurns(devices, disksAtOnce, async (device, seat) => {
    found.set(device, await hold(device, (buffers[seat] ??= Buffer.alloc(MiB))));
  });
  return found;
}

async function hold({ path, number, size }: Device, buffer: Buffer): Promise<Hold> {
  const found: Hold = { refusal: undefined, written: [], trouble: [] };
  let handle: FileHandle;
  try {
    // O_EXCL without O_CREAT is about block devices only (open(2)). Not for writing: udev would look at it afterwards, and
    // be found as its user by the next look.
    handle = await open(path, constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK);
  } catch (error) {
    found.refusal = (error as NodeJS.ErrnoException).code ?? String(error);
    return found;
  }
  try {
    if (blockNumber(await handle.stat()) !== number) found.trouble.push(`${path} became another device`);
    if (!(await isBlank(handle, 0, buffer))) found.written.push("first");
    if (!(await isBlank(handle, Math.max(0, size - MiB), buffer))) found.written.push("last");
  } catch (error) {
    found.trouble.push(`reading ${path}: ${(error as Error).message}`);
  } finally {
    await handle.close();
  }
  return found;
}

/** udev looks at a disk that changed for less than a second. */
const patienceMs = 10_000;

/**
 * Opens a disk for writing and locks it, so that its number stays its own while other programs look at it and write to
 * it, and udev looks only when that is done (systemd, BLOCK_DEVICE_LOCKING). Both end when it is disposed of.
 * @throws ChimeError `disk.refused`, `disk.changed`, `disk.locked`
 */
export async function lockDisk({ path, number }: Device): Promise<AsyncDisposable> {
  const again = "look at chime-node disks, then run this again";
  const handle = await open(path, constants.O_RDWR | constants.O_NONBLOCK).catch((error: Error) => {
    throw refused("disk.refused", `${path} cannot be opened for writing: ${error.message}`, again);
  });
  try {
    if (blockNumber(await handle.stat()) !== number) {
      throw refused("disk.changed", `${path} became another device`, again);
    }
    const giveUp = systemClock.now() + patienceMs;
    while (!tryLock(handle.fd)) {
      if (systemClock.now() > giveUp)
        throw refused("disk.locked", `another program has locked ${path}`, again);
      await systemClock.sleep(50);
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { [Symbol.asyncDispose]: () => handle.close() };
}

/** @throws Error for a read that fails or ends early */
async function isBlank(handle: FileHandle, position: number, buffer: Buffer): Promise<boolean> {
  let got = 0;
  while (got < MiB) {
    const { bytesRead } = await handle.read(buffer, got, MiB - got, position + got);
    if (bytesRead === 0) throw new Error(`it ends before ${position + MiB} bytes`);
    got += bytesRead;
  }
  return buffer.equals(zeros);
}
