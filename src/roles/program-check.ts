import { open } from "node:fs/promises";
import type { Finding } from "../host/checks.ts";
import { isMissing } from "../host/files.ts";

/** The ELF magic: what is no program is told before anything is begun, not by a unit that fails. */
const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/** Whether the operator's own program is where the spec says. */
export async function checkProgram(path: string): Promise<Finding | undefined> {
  const remedy = `copy the server's program to ${path} on each node`;
  try {
    const handle = await open(path, "r");
    try {
      const { buffer } = await handle.read(Buffer.alloc(elf.length), 0, elf.length, 0);
      if (buffer.equals(elf)) return undefined;
    } finally {
      await handle.close();
    }
    return { severity: "error", message: `${path} is not a program`, remedy };
  } catch (error) {
    const message = isMissing(error) ? `there is no ${path}` : `${path}: ${(error as Error).message}`;
    return { severity: "error", message, remedy };
  }
}
