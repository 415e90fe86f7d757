import { mkdir, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { mountsBelow } from "./state.ts";
import { waitUntil } from "./wait.ts";

/**
 * A file system in a file, on a loop device: it can be full or frozen, which a directory or an overlay cannot.
 * The file is sparse; the device exists only while it is mounted.
 */
export class LoopDisk {
  readonly mountPoint: string;
  readonly #path: string;
  readonly #file: string;
  readonly #sizeMiB: number;
  readonly #type: "ext4" | "xfs";
  #formatted = false;
  #failed = false;

  constructor(path: string, sizeMiB: number, type: "ext4" | "xfs") {
    this.#path = path;
    this.#file = `${path}.img`;
    this.mountPoint = join(path, "mounted");
    this.#sizeMiB = sizeMiB;
    this.#type = type;
  }

  async mount(): Promise<void> {
    if (!this.#formatted) {
      await mkdir(this.mountPoint, { recursive: true });
      // Whoever has copies of this machine's mounts, as every node and every program of the client, lets go of the disk when we do.
      await exec(["mount", "--bind", "--make-shared", this.#path, this.#path]);
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

  /** An error of the kernel's makes it read-only for everybody, until it is mounted anew. ext4 alone. */
  async fail(): Promise<void> {
    await exec(["mount", "-o", "remount,errors=remount-ro", this.mountPoint]);
    const { stdout } = await exec(["findmnt", "--noheadings", "--output", "SOURCE", this.mountPoint]);
    await writeFile(`/sys/fs/ext4/${basename(stdout.trim())}/trigger_fs_error`, "1");
    this.#failed = true;
  }

  /** Unmounts, the mounts below it first; the loop device goes with the mount. */
  async unmount(): Promise<void> {
    for (const mount of await mountsBelow(this.mountPoint)) await exec(["umount", mount]);
    await exec(["umount", this.mountPoint]);
    if (!this.#failed) return;
    // While any mount namespace still holds it, to mount it again would bring back the same error.
    const isHeld = async () => (await exec(["losetup", "--associated", this.#file])).stdout !== "";
    await waitUntil("nobody to hold the disk that failed", 30_000, async () => !(await isHeld()));
    this.#failed = false;
  }
}
