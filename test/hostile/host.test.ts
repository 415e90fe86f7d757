import * as v from "valibot";
import { parseArp } from "../../src/host/arp.ts";
import { parseRules } from "../../src/host/cut-off.ts";
import { parseAuto } from "../../src/host/disks/auto.ts";
import { parseBlkid, parseWipefs } from "../../src/host/disks/content.ts";
import { parseLosetup } from "../../src/host/disks/loops.ts";
import { parseLsblk } from "../../src/host/disks/lsblk.ts";
import {
  disksOf,
  parseMdstat,
  parseMounts,
  parsePvs,
  parseSwaps,
  parseTable,
  parseZpool,
  tablePath,
} from "../../src/host/disks/tables.ts";
import { closesInput } from "../../src/host/firewall.ts";
import { parseGateway } from "../../src/host/gateway.ts";
import { parseLocalAddresses } from "../../src/host/local-addresses.ts";
import { parseDefaultRoute, parseInterfaces } from "../../src/host/net.ts";
import { parseOsRelease, systemKey } from "../../src/host/os.ts";
import * as apt from "../../src/host/packages/apt-output.ts";
import * as dnf from "../../src/host/packages/dnf-output.ts";
import { parseProxy } from "../../src/host/packages/dnf-fetch.ts";
import { parseLockHolders } from "../../src/host/packages/dpkg-lock.ts";
import { readWaiting } from "../../src/host/stuck.ts";
import { parseShow } from "../../src/host/systemd.ts";
import { parseConnections, parseStalled } from "../../src/host/tcp.ts";
import { parseVrrp } from "../../src/host/vrrp.ts";
import { onslaught } from "./onslaught.ts";

/** What this machine's files and programs say, and packets of its neighbours. */
const json = [SyntaxError, v.ValiError];

const device = {
  name: "sda",
  kname: "sda",
  "maj:min": "8:0",
  type: "disk",
  size: "960197124096",
  ro: "0",
  rm: false,
  model: "x",
  children: [{ name: "sda1", kname: "sda1", "maj:min": "8:1", type: "part", size: 1, ro: false, rm: "0" }],
};

onslaught("lsblk", {
  make(inputs) {
    if (!inputs.once(50)) return inputs.damagedJson({ blockdevices: [device] });
    const open = '{"kname":"a","maj:min":"1:1","type":"x","size":1,"ro":false,"rm":false,"children":[';
    return `{"blockdevices":[${open.repeat(2_000)}${"]}".repeat(2_000)}]}`;
  },
  parse: parseLsblk,
  codes: ["disks.unreadable"],
  holds(devices) {
    for (const { path, size } of devices) {
      if (!path.startsWith("/dev/") || path.includes("/../")) throw new Error(`the device ${path}`);
      if (!Number.isSafeInteger(size)) throw new Error("no size");
    }
  },
});

onslaught("wipefs, blkid and losetup", {
  make: (inputs) => ({
    wipefs: inputs.damagedJson({ signatures: [{ device: "sda", type: "xfs" }] }),
    blkid: inputs.damagedText("DEVNAME=/dev/sda\nUUID=x\nTYPE=xfs\n", ["PTTYPE=", "TYPE=", "\n"]),
    losetup: inputs.damagedJson({
      loopdevices: [
        {
          name: "/dev/loop0",
          "back-ino": 1,
          "back-maj:min": "8:1",
          "back-file": "/x",
          offset: 0,
          sizelimit: "0",
        },
      ],
    }),
  }),
  parse: ({ wipefs, blkid, losetup }) =>
    [parseWipefs(wipefs), parseBlkid(blkid), parseLosetup(losetup)] as const,
  errors: json,
  holds([, types], { blkid }) {
    // A disk on which something was found is not an empty one, whatever it is called.
    if (types.length === 0 && blkid.trim() !== "") throw new Error("nothing found in what was said");
  },
});

const mountinfo = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n";

onslaught("mounts and tables of disks", {
  make: (inputs) => ({
    mounts: inputs.damagedText(mountinfo, [" - ", " ", "\\134", "\\000", "\n"]),
    rest: inputs.damagedText(
      inputs.pick([
        "UUID=0a-b /srv xfs defaults 0 0\n/dev/sdb1 none swap\n",
        "Filename Type\n/dev/sdb2\\040x partition\n",
        "md0 : active raid1 sdb1[1] sda1[0](F)\n",
        "  pool: tank\n\t    /dev/sdb1  ONLINE\n",
        "  /dev/sdb|vg0\n",
      ]),
      ["md", "[1]", "/dev/", "LABEL=../x", "-part1", "|"],
    ),
  }),
  parse({ mounts, rest }) {
    for (const word of [...parseTable(rest, 1), ...parseTable(rest, 2)]) {
      tablePath(word);
      disksOf(word);
    }
    parseSwaps(rest);
    parseMdstat(rest);
    parseZpool(rest);
    parsePvs(rest);
    parseAuto(rest);
    return parseMounts(mounts);
  },
  // Of a line that is not understood.
  errors: [Error],
  holds(mounts) {
    for (const { number, target } of mounts)
      if (!/^\d+:\d+$/.test(number) || !target) throw new Error("no mount");
  },
});

const osRelease = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\nID_LIKE=\'rhel fedora\'\n';

onslaught("os-release", {
  make: (inputs) => inputs.damagedText(osRelease, ["ID=", "ID_LIKE=", '"', "'", "\\", "__proto__=1\n"]),
  parse(text) {
    const os = parseOsRelease(text);
    return { os, key: systemKey(os) };
  },
  holds({ os, key }) {
    if (!["debian", "el", "unknown"].includes(os.family) || typeof key !== "string")
      throw new Error("no system");
  },
});

onslaught("addresses, routes and rules", {
  make: (inputs) => ({
    link: inputs.damagedJson([
      { ifname: "eth0", flags: ["UP"], addr_info: [{ family: "inet", local: "10.0.0.1", prefixlen: 24 }] },
    ]),
    route: inputs.damagedJson([{ dst: "default", gateway: "10.0.0.254", dev: "eth0", metric: 1 }]),
    rule: inputs.damagedJson([{ dst: "10.0.0.2", dport: "3306" }]),
    nft: inputs.damagedJson({
      nftables: [
        { chain: { family: "inet", table: "t", name: "c", hook: "input", policy: "drop" } },
        { rule: { family: "inet", table: "t", chain: "c", expr: [{ counter: {} }, { drop: null }] } },
      ],
    }),
    at: inputs.below(4),
  }),
  parse({ link, route, rule, nft, at }) {
    const each = [
      () => parseInterfaces(link),
      () => parseDefaultRoute(route),
      () => parseRules(rule),
      () => closesInput(nft),
    ];
    return each[at]?.();
  },
  errors: json,
});

const procTcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt
   0: 0100000A:0CEA 0200000A:8F00 01 00000010:00000000 01:00000014 00000002
`;
const fibTrie = `Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.0.1
        /32 host LOCAL
`;
const procRoute = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask
eth0\t00000000\tFE00000A\t0003\t0\t0\t100\t00000000
`;

onslaught("tables of the kernel", {
  make: (inputs) => ({
    tcp: inputs.damagedText(procTcp, [":", "0100000A", " 01 ", "\n"]),
    trie: inputs.damagedText(fibTrie, ["|-- ", "LOCAL", "\n"]),
    route: inputs.damagedText(procRoute, ["\t", "00000000", "eth0"]),
    status: inputs.damagedText("State:\tD (disk sleep)\nvoluntary_ctxt_switches:\t12\n", ["State:\tD", "\n"]),
    locks: inputs.damagedText("1: POSIX  ADVISORY  WRITE 4711 08:01:12 0 EOF\n", ["POSIX", "WRITE", "-1"]),
  }),
  parse: ({ tcp, trie, route, status, locks }) => ({
    stalled: parseStalled(tcp, 3306, "10.0.0.2"),
    connections: parseConnections(tcp, "10.0.0.1", 100),
    local: parseLocalAddresses(trie),
    gateway: parseGateway(route, "eth0"),
    waiting: readWaiting(status),
    holders: parseLockHolders(locks),
  }),
  holds({ connections, holders }) {
    if (connections.length > 100) throw new Error("more connections than asked for");
    if (holders.some((pid) => !(pid > 0))) throw new Error("no process");
  },
});

const show = "LoadState=loaded\nActiveState=active\nExecMainStartTimestamp=Sat 2026-11-21 08:54:05 UTC\n";

onslaught("systemctl show", {
  make: (inputs) => inputs.damagedText(show, ["=", "9999-99-99 99:99:99 UTC", "\n", "ActiveState="]),
  parse: (text) => parseShow(text, { wall: 1e12, uptime: 1e6 }),
  holds({ startedAt }) {
    if (!Number.isFinite(startedAt)) throw new Error("no time");
  },
});

const aptText = `mariadb-server\tinstalled\t1:10.11\t
mysql:
  Candidate: 8.0
E: The repository 'https://x y' is not signed.
W: GPG error: https://repo.x jammy InRelease: EXPKEYSIG B7B3
Get:1 http://deb.debian.org/debian bookworm/main amd64 perl amd64 5.36 [240 kB]
Err: Failed to fetch http://u:p@deb.debian.org/x  Temporary failure
a - - - < 1.0 amd64 none file
`;

onslaught("what apt and dpkg print", {
  make: (inputs) =>
    inputs.damagedText(aptText, ["\t", "E: ", "W: GPG error: ", " .*: ", "[", "Failed to fetch "]),
  parse(text) {
    for (const line of text.split("\n")) apt.parseProgress(line);
    apt.parsePolicy(text);
    apt.parseRecord(text);
    apt.unreachablePlace(text);
    apt.untrustedPlace(text);
    apt.installError(["x"], text, "log", text);
    return apt.parseStatus(text);
  },
  holds(statuses) {
    if (statuses.some(({ name, status }) => !name || !status)) throw new Error("no package");
  },
});

const dnfText = `Installing:
 MariaDB-server  x86_64  10.11  appstream  20 M
Transaction Summary
package x is not installed
(1/2): perl-5.36.rpm   1.0 MB/s | 240 kB
Error: Failed to download metadata for repo 'appstream': Cannot download
  mysql is needed by (installed) x-1
`;

onslaught("what dnf and rpm print", {
  make: (inputs) => inputs.damagedText(dnfText, [" ", "Error: ", "Installing:\n", "for repo '", "|"]),
  parse(text) {
    for (const line of text.split("\n")) dnf.parseDnfProgress(line);
    dnf.parseRpm(text);
    dnf.parseUnknown(text);
    dnf.parseNeeded(text);
    dnf.dnfError(["x"], text, "log");
    parseProxy(text);
    return dnf.parseTransaction(text);
  },
  holds(names) {
    if (names.some((name) => name === "" || /\s/.test(name))) throw new Error("no package");
  },
});

const vrrp = Buffer.from(
  "45c00028000000000ff0000001020304e00000123133960100640000c0a8e71e".replace("0ff0", "ff70"),
  "hex",
);
const arp = Buffer.from("0001080006040002aabbccddeeff0a0000010000000000000a000002", "hex");

onslaught("packets of neighbours", {
  make: (inputs) => ({ vrrp: inputs.damagedBytes(vrrp), arp: inputs.damagedBytes(arp) }),
  parse: (packets) => ({ router: parseVrrp(packets.vrrp), said: parseArp(packets.arp) }),
  holds({ router, said }) {
    if (router && !(router.virtualRouterId > 0 && router.virtualRouterId < 256)) throw new Error("no router");
    if (said && !/^(\d{1,3}\.){3}\d{1,3}$/.test(said.address)) throw new Error("no address");
    if (said && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(said.hardware)) throw new Error("no hardware address");
  },
});
