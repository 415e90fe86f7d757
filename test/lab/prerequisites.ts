import { existsSync } from "node:fs";
import { exec } from "../../src/core/exec.ts";
import { freeBytes } from "../../src/host/free-space.ts";
import { cgroupsWritable } from "./cgroup.ts";

/** Programs (or files) that the lab needs and the Debian package that brings each. */
const tools: Record<string, string> = {
  "systemd-nspawn": "systemd-container",
  mmdebstrap: "mmdebstrap",
  "dpkg-scanpackages": "dpkg-dev",
  nft: "nftables",
  gpg: "gnupg",
  ip: "iproute2",
  "mkfs.ext4": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  // Ubuntu does not have Debian's keys by itself.
  "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
};

/** The image, its package mirror and two nodes with a server each. */
const neededBytes = 4 * 2 ** 30;

/** The lab cannot run here. The message is one sentence with the cause and what to do. */
export class LabUnavailable extends Error {
  override readonly name = "LabUnavailable";
}

function missingTools(): string[] {
  const searched = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return Object.keys(tools).filter((tool) =>
    tool.startsWith("/") ? !existsSync(tool) : !Bun.which(tool, { PATH: searched }),
  );
}

/** Why lab tests cannot run here, without changing anything; undefined when they can. */
export function labObstacle(): string | undefined {
  if (process.platform !== "linux") return "the lab needs Linux";
  if (process.getuid?.() !== 0)
    return "the lab needs root: it makes network namespaces, mounts and containers";
  if (!cgroupsWritable()) {
    return "the lab needs to make cgroups, which this container may not: run it on a machine or in a VM";
  }
  const missing = missingTools();
  if (missing.length > 0 && !Bun.which("apt-get")) {
    return `the lab needs ${missing.join(", ")}: install them with this system's package manager`;
  }
  return undefined;
}

/**
 * Makes sure that the lab can run: root, tools (installed by name where apt is there), space.
 * @throws LabUnavailable
 */
export async function ensurePrerequisites(
  directory: string,
  progress: (line: string) => void,
): Promise<void> {
  const obstacle = labObstacle();
  if (obstacle) throw new LabUnavailable(obstacle);
  const missing = missingTools();
  if (missing.length > 0) await install([...new Set(missing.map((tool) => tools[tool] ?? tool))], progress);
  const free = await freeBytes(directory);
  if (free < neededBytes) {
    throw new LabUnavailable(
      `the lab needs 4 GiB free at ${directory} and finds ${Math.round(free / 2 ** 20)} MiB: free some, or point XDG_CACHE_HOME elsewhere`,
    );
  }
}

async function install(packages: string[], progress: (line: string) => void): Promise<void> {
  const why = await aptInstall(packages, progress);
  if (why !== undefined || missingTools().length > 0) {
    throw new LabUnavailable(
      `the lab needs ${packages.join(", ")}, and apt-get could not install them: ${why}`,
    );
  }
}

/** Installs packages on this machine; returns apt-get's last words when that failed. */
export async function aptInstall(
  packages: readonly string[],
  progress: (line: string) => void,
): Promise<string | undefined> {
  progress(`installing ${packages.join(", ")} with apt-get`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", ...packages];
  await exec(["apt-get", "update", "-q"], { env, timeoutMs: 300_000, ok: "any" });
  const result = await exec(install, { env, timeoutMs: 600_000, ok: "any" });
  return result.code === 0 ? undefined : (result.stderr.trim().split("\n").at(-1) ?? `exit ${result.code}`);
}
