import { mkdir, truncate, writeFile } from "node:fs/promises";
import { exec } from "../../src/core/exec.ts";
import { mountsBelow } from "./state.ts";

/**
 * A file system in a file, on a loop device: it can be full or frozen, which a directory or an overlay cannot.
 * The file is sparse; the device exists only while it is mounted.
 */
export class LoopDisk {
  readonly mountPoint: string;
  readonly #file: string;
  readonly #sizeMiB: number;
  readonly #type: "ext4" | "xfs";
  #formatted = false;

  constructor(path: string, sizeMiB: number, type: "ext4" | "xfs") {
    this.#file = `${path}.img`;
    this.mountPoint = path;
    this.#sizeMiB = sizeMiB;
    this.#type = type;
  }

  async mount(): Promise<void> {
    if (!this.#formatted) {
      await mkdir(this.mountPoint, { recursive: true });
      await writeFile(this.#file, "");
      await truncate(this.#file, this.#sizeMiB * 2 ** 20);
      const mkfs = this.#type === "xfs" ? ["mkfs.xfs", "-q"] : ["mkfs.ext4", "-q", "-m", "0"];
      await exec([...mkfs, this.#file]);
      this.#formatted = true;
    }
    await exec(["mount", "-o", "loop", this.#file, this.mountPoint]);
    // A data directory is empty before its server comes.
    await exec(["rm", "-rf", `${this.mountPoint}/lost+found`]);
  }

  async freeze(): Promise<void> {
    await exec(["fsfreeze", "--freeze", this.mountPoint]);
  }

  /** No error when it is not frozen. */
  async thaw(): Promise<void> {
    await exec(["fsfreeze", "--unfreeze", this.mountPoint], { ok: "any" });
  }

  /** Unmounts, the mounts below it first; the loop device goes with the mount. */
  async unmount(): Promise<void> {
    for (const mount of await mountsBelow(this.mountPoint)) await exec(["umount", mount]);
    await exec(["umount", this.mountPoint]);
  }
}
