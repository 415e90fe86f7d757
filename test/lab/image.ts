import { join } from "node:path";
import { builtOnce } from "./built-once.ts";
import { system } from "./system.ts";

/** What every node boots from, and the only packages it can install. All read-only and shared by all labs. */
export interface Image {
  /** Layers of its root, the uppermost first. */
  roots: readonly string[];
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

/** $1: the directory. */
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

/** $1: the directory, $2: the image's root, $3: its mirror. */
const prepareScript = `
set -eu
final=$1 root=$2 mirror=$3 work=$1.new
[ -d "$final" ] && exit 0
rm -rf --one-file-system "$work"
mkdir -p "$work/layer" "$work/overlay" "$work/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/layer,workdir=$work/overlay" "$work/root"
mount --bind "$mirror" "$work/root/mirror"
mount -t proc proc "$work/root/proc"
# Nothing is started.
printf 'exit 101\n' >"$work/root/usr/sbin/policy-rc.d"
chmod 755 "$work/root/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
chroot "$work/root" apt-get update -qq
chroot "$work/root" apt-get install -y -qq ${system.mirror.join(" ")}
chroot "$work/root" systemctl --quiet disable ${system.services.join(" ")}
chroot "$work/root" apt-get clean
rm -rf "$work/root/usr/sbin/policy-rc.d" "$work/root"/var/lib/apt/lists/*
umount -R "$work/root"
rm -rf "$work/overlay" "$work/root"
mv "$work" "$final"
`;

/**
 * The same with the pair's packages installed, disabled and never started, as on servers that an operator prepared: for
 * labs of what comes after the installation, which is most of what forming a pair costs.
 */
export async function ensurePrepared(image: Image, progress: (line: string) => void): Promise<Image> {
  const [root = ""] = image.roots;
  const wanted = {
    name: `lab-${system.suite}-prepared`,
    what: "the layer with the pair's packages",
    script: prepareScript,
    mounts: true,
    words: [root, image.mirror],
  };
  const directory = await builtOnce(wanted, progress);
  return { ...image, roots: [join(directory, "layer"), ...image.roots] };
}

/**
 * Builds a system's image once (half a minute, needs the distribution's packages) and returns it from the cache afterwards.
 * @throws LabUnavailable when the packages cannot be had
 */
export async function ensureImage(progress: (line: string) => void): Promise<Image> {
  const wanted = { name: `lab-${system.suite}`, what: "the node image and its package mirror", script };
  const directory = await builtOnce(wanted, progress);
  return { roots: [join(directory, "root")], mirror: join(directory, "mirror") };
}
