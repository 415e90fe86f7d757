import { describe, expect, test } from "bun:test";
import { parseProxy } from "../../../src/host/packages/dnf-fetch.ts";
import {
  classifyDnf,
  dnfError,
  parseDnfProgress,
  parseNeeded,
  parseRpm,
  parseTransaction,
  parseUnknown,
} from "../../../src/host/packages/dnf-output.ts";
import { dnfSource } from "../../../src/host/packages/dnf-source.ts";

/** dnf 4.14 with rpm 4.18. */
const preview = `x                                                60 kB/s | 1.5 kB     00:00
Dependencies resolved.
==================================================================================================
 Package                                                         Arch    Version
                                                                               Repository     Size
==================================================================================================
Installing:
 stand-in-server                                                 noarch  1.0-1 chime-node-x  6.2 k
Installing dependencies:
 stand-in-a-rather-long-name-that-does-not-fit-into-its-column   noarch  1.0-1 chime-node-x  6.3 k
 stand-in-library-whose-name-is-alone-on-its-line-for-it-is-longer-still
                                                                 noarch  1.0-1 chime-node-x  6.0 k
Upgrading:
 stand-in-neighbour                                              noarch  1.1-1 chime-node-x  6.0 k
     replacing  stand-in-old.noarch 1.0-1
Installing weak dependencies:
 stand-in-weak                                                   noarch  1.0-1 chime-node-x  6.0 k

Transaction Summary
==================================================================================================
Install  4 Packages
Upgrade  1 Package

Total size: 25 k
Operation aborted.
`;

test("what a transaction brings, and not what it upgrades", () => {
  expect(parseTransaction(preview)).toEqual([
    "stand-in-server",
    "stand-in-a-rather-long-name-that-does-not-fit-into-its-column",
    "stand-in-library-whose-name-is-alone-on-its-line-for-it-is-longer-still",
    "stand-in-weak",
  ]);
  expect(parseTransaction("Error: Unable to find a match: nosuch\n")).toEqual([]);
});

test("rpm's answers: versions of what is there, and names of what is not", () => {
  const text = "stand-in-server\t1.0-1\npackage nosuch is not installed\n";
  expect([...parseRpm(text)]).toEqual([["stand-in-server", "1.0-1"]]);
  expect(parseUnknown(text)).toEqual(["nosuch"]);
  expect(
    parseUnknown("gpg-pubkey-8507efa5-5c4bd8a1\npackage gpg-pubkey-a8d3785c is not installed\n"),
  ).toEqual(["gpg-pubkey-a8d3785c"]);
});

test("what others need, as rpm calls it", () => {
  const text = `error: Failed dependencies:
\tstand-in-library is needed by (installed) stand-in-neighbour-1.0-1.noarch
\tlibmysqlclient.so.21()(64bit) is needed by (installed) perl-DBD-MySQL-4.050-13.el9.x86_64
\t/usr/bin/mysql is needed by (installed) theirs-1-1.noarch
`;
  expect(parseNeeded(text)).toEqual(["stand-in-library", "libmysqlclient.so.21()(64bit)", "/usr/bin/mysql"]);
  expect(parseNeeded("")).toEqual([]);
});

test.each([
  [
    "Waiting for process with pid 4711 to finish.",
    "waiting for the package manager (pid 4711) to release its lock",
  ],
  [
    "(1/3): stand-in-library-1.0-1.noarch.rpm         10 kB/s | 6.0 kB     00:00    ",
    "downloading stand-in-library-1.0-1.noarch (6.0 kB)",
  ],
  [
    "  Installing       : stand-in-library-1.0-1.noarch                          1/3 ",
    "installing stand-in-library-1.0-1.noarch",
  ],
  ["  Verifying        : stand-in-library-1.0-1.noarch                          2/3 ", undefined],
  ["Transaction check succeeded.", undefined],
])("progress: %s", (line, wanted) => {
  expect(parseDnfProgress(line)).toBe(wanted as string);
});

describe("why it failed", () => {
  test.each([
    ["unknown", "No match for argument: nosuch\nError: Unable to find a match: nosuch\n"],
    [
      "unreachable",
      "Errors during downloading metadata for repository 'os':\n  - Curl error (7): Couldn't connect to server for http://127.0.0.1:9/repodata/repomd.xml []\nError: Failed to download metadata for repo 'os': Cannot download repomd.xml: All mirrors were tried\n",
    ],
    [
      "untrusted",
      "Public key for stand-in-server-1.0-1.noarch.rpm is not installed. Failing package is: stand-in-server-1.0-1.noarch\nError: GPG check FAILED\n",
    ],
    [
      "no_space",
      "Error: Transaction test error:\n  installing package stand-in-server-1.0-1.noarch needs 5MB more space on the /usr filesystem\n",
    ],
    [
      "locked",
      "error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)\n",
    ],
    [
      "conflict",
      "Error: \n Problem: conflicting requests\n  - nothing provides /bin/sh needed by stand-in-server-1.0-1.noarch\n",
    ],
    ["other", "Error: Transaction failed\n"],
  ] as const)("%s", (kind, output) => {
    expect(classifyDnf(output)).toBe(kind);
    const { code, message } = dnfError(["x"], output, "/log");
    expect(code).toBe(`packages.${{ other: "failed", locked: "failed" }[kind as string] ?? kind}`);
    expect(message).toContain(kind === "unreachable" ? "repository os " : "x");
  });
});

test("a vendor's repository is off, so that upgrades leave its packages alone, and checks each with its key", () => {
  const files = dnfSource({
    name: "percona",
    uri: "https://repo.percona.com/ps-84-lts/yum/release/9/RPMS/x86_64",
    suite: "",
    component: "",
    key: { url: "https://repo.percona.com/yum/PERCONA-PACKAGING-KEY", fingerprint: "F".repeat(40) },
    hides: [],
  });
  expect(files.path).toBe("/etc/yum.repos.d/chime-node-percona.repo");
  for (const line of [
    "[chime-node-percona]",
    "baseurl=https://repo.percona.com/ps-84-lts/yum/release/9/RPMS/x86_64",
    "enabled=0",
    "gpgcheck=1",
    `gpgkey=file://${files.key}`,
    "module_hotfixes=1",
  ]) {
    expect(files.content.split("\n")).toContain(line);
  }
});

test.each([
  ["", undefined, undefined],
  ["[main]\ngpgcheck=1\nproxy=http://proxy.test:3128\n", "http://proxy.test:3128", undefined],
  ["proxy = http://p:1\nproxy_username = me\nproxy_password = secret\n", "http://p:1", "me:secret"],
  ["proxy=_none_\n", undefined, undefined],
  ["#proxy=http://p:1\n", undefined, undefined],
])("dnf's proxy: %j", (text, proxy, user) => {
  expect(parseProxy(text)).toEqual({ proxy, user });
});
