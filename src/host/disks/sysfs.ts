import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { isMissing } from "../files.ts";

const blocks = "/sys/class/block";

/** What the kernel itself says about a device. */
export interface KernelView {
  virtual: boolean;
  partitions: string[];
  holders: string[];
  /** Changes when another medium, file or disk comes under the same name. */
  state: string;
}

/** @throws Error when the device is gone or sysfs does not show it */
export function readKernelView(kernelName: string): KernelView {
  const directory = `${blocks}/${kernelName}`;
  return {
    // NVMe's own multipath lies below /sys/devices/virtual as well, but not in `block`.
    virtual: realpathSync(directory).startsWith("/sys/devices/virtual/block/"),
    partitions: readdirSync(directory).filter(
      (name) => name.startsWith(kernelName) && existsSync(`${directory}/${name}/partition`),
    ),
    holders: readdirSync(`${directory}/holders`),
    state: readState(kernelName),
  };
}

/** Number, size in sectors and (from Linux 5.15) the running number of what is in it. @throws Error when it is gone */
export function readState(kernelName: string): string {
  const read = (name: string) => readFileSync(`${blocks}/${kernelName}/${name}`, "utf8").trim();
  let sequence = "";
  try {
    sequence = read("diskseq");
  } catch (error) {
    // Partitions and older kernels have none.
    if (!isMissing(error)) throw error;
  }
  return [read("dev"), read("size"), sequence].join(" ");
}
