import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { blockNumber } from "./number.ts";
import { inTurns } from "./turns.ts";
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
  await inTurns(devices, async (device, seat) => {
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
