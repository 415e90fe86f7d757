import { failed } from "../../../core/errors.ts";
import { exec } from "../../../core/exec.ts";
import { pathUnit } from "../../../host/systemd.ts";
import { givenDisks } from "../given.ts";
import type { Redundancy } from "./redundancy.ts";

/** What a drill does to one disk of a node. */
type DiskFault = "disk-pulled" | "disk-full";

/** How long it lasts, s. */
const lastsSeconds = 5;

/** It ends by itself long before. */
const atMostSeconds = 30;

/**
 * `disk-pulled`: the file system is taken away under the running server, which finds the empty place instead; it is
 * written to no more, and nothing on it changes. `disk-full`: one file takes all that is left, also what is deleted
 * meanwhile. It has no name, so that its space is free again as soon as nobody holds it open, after a power cut too.
 */
const scripts: Record<DiskFault, string> = {
  "disk-pulled": `umount --lazy "$1" && sleep ${lastsSeconds}`,
  "disk-full": `
    exec 3>"$1/.chime-node-drill" && rm "$1/.chime-node-drill" || exit
    end=$(($(date +%s) + ${lastsSeconds}))
    while [ "$(date +%s)" -lt "$end" ]; do
      for step in 1T 64G 4G 256M 16M 1M 64K 4K; do
        while fallocate --offset "$(stat -Lc %s /dev/fd/3)" --length $step /dev/fd/3; do :; done 2>/dev/null
      done
      sleep 0.1
    done`,
};

/**
 * Breaks this node's first disk for some seconds, and returns when it is over. It is a unit of its own: whatever becomes
 * of the drill and of the agent, systemd ends it and mounts the disk again.
 * @throws ChimeError `exec.failed`, also where one is under way
 */
async function breakDisk(fault: DiskFault): Promise<void> {
  const [disk] = givenDisks();
  if (!disk) throw failed("drill.no_disk", "this node has given no disk to the store");
  const mounted = pathUnit(disk.at, "mount");
  const properties = [`RuntimeMaxSec=${atMostSeconds}`, `ExecStopPost=/bin/systemctl start ${mounted}`];
  const set = properties.map((property) => `--property=${property}`);
  const script = ["/bin/sh", "-c", scripts[fault], "sh", disk.at];
  const options = ["--quiet", "--collect", "--wait", "--unit=chime-node-drill"];
  await exec(["systemd-run", ...options, ...set, "--", ...script]);
}

export const isDiskFault = (word: string): word is DiskFault => word in scripts;

/** The same as a drill does it. The server may not tell of a disk that is away for so short a time, or full: what that lacks is completed all the same. */
export async function drillDisk(fault: DiskFault, redundancy: Pick<Redundancy, "down">): Promise<void> {
  await redundancy.down();
  try {
    await breakDisk(fault);
  } finally {
    await redundancy.down();
  }
}
