import { existsSync } from "node:fs";
import { exec } from "../core/exec.ts";

/** There where the kernel enforces SELinux, or would. */
const switchPath = "/sys/fs/selinux/enforce";

/**
 * Gives a file of ours the label that the policy has for its path (restorecon(8)): one that is written beside the old
 * file and renamed has its directory's, which a confined service may not read.
 */
export async function relabel(path: string, at = switchPath): Promise<void> {
  if (!existsSync(at)) return;
  // A label that cannot be set is told by the service that may not read the file.
  await exec(["restorecon", "-F", path], { ok: "any" });
}
