import type { Finding } from "../host/checks.ts";
import { whyNoProgram } from "../host/elf.ts";
import { isMissing } from "../host/files.ts";

/** Whether the operator's own program is where the spec says, told before anything is begun, not by a unit that fails. */
export async function checkProgram(path: string): Promise<Finding | undefined> {
  const remedy = `copy the server's program to ${path} on each node`;
  try {
    const why = await whyNoProgram(path);
    return why === undefined ? undefined : { severity: "error", message: `${path} ${why}`, remedy };
  } catch (error) {
    const message = isMissing(error) ? `there is no ${path}` : `${path}: ${(error as Error).message}`;
    return { severity: "error", message, remedy };
  }
}
