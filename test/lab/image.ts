import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { cacheDirectory } from "../../scripts/cache.ts";
import { LabUnavailable } from "./prerequisites.ts";
import { system } from "./system.ts";

/** What every node boots from, and the only packages it can install. Both read-only and shared by all labs. */
export interface Image {
  root: string;
  mirror: string;
}

/** A bare server: what a minimal installation has, and no service of ours. */
const base = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "udev",
  "iproute2",
  "ca-certificates",
  "procps",
  "apt",
  "kmod",
  "nftables",
];

/** What an operator's machine often has, and a bare one does not: tests install it where they need it. */
const extras = ["curl", "sudo"];

/**
 * Runs under flock(1), so that a second lab waits and then finds the work done; the rename at the end makes a killed
 * run invisible. $1 = final directory.
 */
const script = `
set -eu
final=$1 work=$1.new
[ -d "$final" ] && exit 0
rm -rf --one-file-system "$work"
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir -p "$work"
mmdebstrap --mode=root --format=directory --variant=minbase --include=${base.join(",")} --aptopt='${system.apt}' \\
  --customize-hook='APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes --download-only install ${[...system.mirror, ...extras].join(" ")}' \\
  --customize-hook="mkdir '$work/mirror' && cp \\"\\$1\\"/var/cache/apt/archives/*.deb '$work/mirror'" \\
  ${system.suite} "$work/root"
root=$work/root
rm -rf "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/*
mkdir -p "$root/mirror" "$root/usr/local/bin"
echo 'deb [trusted=yes] file:/mirror ./' >"$root/etc/apt/sources.list"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
# A timer that takes the dpkg lock at a random time makes no test better.
ln -sf /dev/null "$root/etc/systemd/system/apt-daily.timer"
ln -sf /dev/null "$root/etc/systemd/system/apt-daily-upgrade.timer"
cd "$work/mirror"
dpkg-scanpackages --multiversion . /dev/null >Packages 2>/dev/null
gzip -9kn Packages
# apt reads file: sources as the user _apt.
chmod -R a+rX "$work"
mv "$work" "$final"
`;

/**
 * Builds a system's image once (half a minute, needs the distribution's packages) and returns it from the cache afterwards.
 * @throws LabUnavailable when the packages cannot be had
 */
export async function ensureImage(progress: (line: string) => void): Promise<Image> {
  const key = createHash("sha256").update(script).digest("hex").slice(0, 12);
  const cache = cacheDirectory();
  const directory = join(cache, `lab-${system.suite}-${key}`);
  const image = { root: join(directory, "root"), mirror: join(directory, "mirror") };
  if (await exists(directory)) return image;
  await mkdir(cache, { recursive: true });
  progress(`building the node image and its package mirror in ${directory} (once, about a minute)`);
  const argv = ["flock", `${directory}.lock`, "sh", "-c", script, "sh", directory];
  const result = await exec(argv, { timeoutMs: 900_000, ok: "any" });
  if (result.code !== 0) {
    const lines = result.stderr.split("\n").map((line) => line.trim());
    const cause = lines.find((line) => /failed to fetch|could not|no space|failure resolving/i.test(line));
    const why = cause ?? lines.find((line) => /^E:|error:/i.test(line)) ?? `exit ${result.code}`;
    throw new LabUnavailable(
      `the node image could not be built from the distribution's packages (is the network there?): ${why}`,
    );
  }
  return image;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
