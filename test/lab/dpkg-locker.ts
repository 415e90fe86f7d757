import type { LabNode } from "./node.ts";
import type { Running } from "./process.ts";
import { waitUntil } from "./wait.ts";

/** Takes dpkg's frontend lock as another package tool would (fcntl, struct flock of 64-bit Linux). */
const lock = `open F, ">", shift; my $l = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die $!;
  $| = 1; print "locked\\n"; sleep 600`;

/** Holds the lock until it is killed. */
export async function holdDpkgLock(node: LabNode): Promise<Running> {
  const locker = node.start(["perl", "-MFcntl", "-e", lock, "/var/lib/dpkg/lock-frontend"]);
  await waitUntil("the lock to be held", 30_000, () => locker.lines.includes("locked"));
  return locker;
}
