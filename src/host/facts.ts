import { readFile } from "node:fs/promises";
import { cpus, hostname, totalmem } from "node:os";
import { exec, isInstalled } from "../core/exec.ts";
import { readClockSynchronized } from "./clock-synchronized.ts";
import { readText } from "./files.ts";
import { detectFirewall } from "./firewall.ts";
import { parseDefaultRoute, parseInterfaces } from "./net.ts";
import { parseOsRelease } from "./os.ts";

/** What we know of this machine, read once per run (`readFacts`). */
export interface Facts {
  hostname: string;
  os: { id: string; versionId: string; codename: string; family: "debian" | "el" | "unknown"; name: string };
  arch: "x64" | "arm64";
  init: "systemd" | "other";
  packageManager: "apt" | "dnf" | "none";
  cpus: number;
  memoryBytes: number;
  /** Up, non-loopback, with their IPv4 addresses. */
  interfaces: readonly { name: string; addresses: readonly { address: string; prefix: number }[] }[];
  defaultRoute: { interface: string; gateway: string } | null;
  firewall: "none" | "firewalld" | "ufw" | "nftables";
  selinux: "absent" | "permissive" | "enforcing";
  /** Null where nothing can tell (`readClockSynchronized`). */
  clockSynchronized: boolean | null;
}

/** Reads them all side by side; three programs are asked, and systemd where there is firewalld. */
export async function readFacts(): Promise<Facts> {
  const [release, init, addresses, routes, firewall, selinux] = await Promise.all([
    readText("/etc/os-release"),
    readFile("/proc/1/comm", "utf8"),
    exec(["ip", "-json", "address"]),
    exec(["ip", "-json", "route"]),
    detectFirewall(),
    readText("/sys/fs/selinux/enforce"),
  ]);
  return {
    hostname: hostname(),
    os: parseOsRelease(release ?? ""),
    arch: process.arch === "arm64" ? "arm64" : "x64",
    init: init.trim() === "systemd" ? "systemd" : "other",
    packageManager: isInstalled("apt-get") ? "apt" : isInstalled("dnf") ? "dnf" : "none",
    cpus: cpus().length,
    memoryBytes: totalmem(),
    interfaces: parseInterfaces(addresses.stdout),
    defaultRoute: parseDefaultRoute(routes.stdout),
    firewall,
    selinux: selinux === undefined ? "absent" : selinux.trim() === "1" ? "enforcing" : "permissive",
    clockSynchronized: readClockSynchronized(),
  };
}
