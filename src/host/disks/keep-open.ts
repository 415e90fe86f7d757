import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** More would leave too few of the files that a process may have open. */
const most = 256;

/**
 * Has the kernel keep what is read of the devices, which it forgets when the last one who has a device open closes it: what
 * one program has read the next one finds in memory, and what is written meanwhile, too. Nobody is kept from anything by
 * it. One that cannot be opened is left to those who say why.
 */
export async function keepOpen(paths: readonly string[]): Promise<AsyncDisposable> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const opened = await Promise.allSettled(paths.slice(0, most).map((path) => open(path, flags)));
  const handles = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  return {
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(handles.map((handle) => handle.close()));
    },
  };
}
