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
