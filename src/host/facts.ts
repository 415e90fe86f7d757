import { readFile } from "node:fs/promises";
import { cpus, hostname, totalmem } from "node:os";
import { exec } from "../core/exec.ts";
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
  /** Null where nothing can tell (timedatectl's NTPSynchronized). */
  clockSynchronized: boolean | null;
}

/** Reads them all side by side; four programs are asked. */
export async function readFacts(): Promise<Facts> {
  const [release, init, addresses, routes, firewall, selinux, clockSynchronized] = await Promise.all([
    readText("/etc/os-release"),
    readFile("/proc/1/comm", "utf8"),
    exec(["ip", "-json", "address"]),
    exec(["ip", "-json", "route"]),
    detectFirewall(),
    readText("/sys/fs/selinux/enforce"),
    readClock(),
  ]);
  return {
    hostname: hostname(),
    os: parseOsRelease(release ?? ""),
    arch: process.arch === "arm64" ? "arm64" : "x64",
    init: init.trim() === "systemd" ? "systemd" : "other",
    packageManager: which("apt-get") ? "apt" : which("dnf") ? "dnf" : "none",
    cpus: cpus().length,
    memoryBytes: totalmem(),
    interfaces: parseInterfaces(addresses.stdout),
    defaultRoute: parseDefaultRoute(routes.stdout),
    firewall,
    selinux: selinux === undefined ? "absent" : selinux.trim() === "1" ? "enforcing" : "permissive",
    clockSynchronized,
  };
}

function which(program: string): boolean {
  return Bun.which(program, { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }) !== null;
}

/** timedated is started for the answer; a system without it or its bus has no answer. */
async function readClock(): Promise<boolean | null> {
  const argv = ["timedatectl", "show", "--property=NTPSynchronized", "--value"];
  const { code, stdout } = await exec(argv, { ok: "any", timeoutMs: 3_000 });
  return code === 0 ? stdout.trim() === "yes" : null;
}
