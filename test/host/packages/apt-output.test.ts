import { describe, expect, test } from "bun:test";
import {
  classify,
  installError,
  neverConfigured,
  parsePolicy,
  parseProgress,
  parseRecord,
  parseStatus,
  unreachablePlace,
  untrustedPlace,
  unsettled,
  type Failure,
} from "../../../src/host/packages/apt-output.ts";

test("parseStatus and what a cut-off run left", () => {
  const statuses = parseStatus(
    "bash\tinstalled\t5.2.15-2+b7\t\tok\tbash\nmysql-common\tconfig-files\t5.8\t5.8\tok\tmysql-common\nrsync\thalf-configured\t3.2\t3.1\tok\trsync\nsocat\tunpacked\t1\t\treinstreq\tsocat:i386\nnano\tnot-installed\t\t\tok\tnano\n",
  );
  expect(statuses[0]).toEqual({
    name: "bash",
    qualified: "bash",
    status: "installed",
    version: "5.2.15-2+b7",
    configured: "",
    torn: false,
  });
  expect(statuses.filter(({ torn }) => torn).map(({ qualified }) => qualified)).toEqual(["socat:i386"]);
  expect(statuses.filter(neverConfigured).map(({ name }) => name)).toEqual(["socat"]);
  expect(unsettled(statuses)).toEqual(["rsync", "socat"]);
  expect(parseStatus("")).toEqual([]);
});

test("parsePolicy", () => {
  const text = `keepalived:
  Installed: (none)
  Candidate: 1:2.2.7-1+b2
  Version table:
     1:2.2.7-1+b2 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
nothing:
  Installed: (none)
  Candidate: (none)
  Version table:
`;
  expect(parsePolicy(text)).toEqual(new Map([["keepalived", "1:2.2.7-1+b2"]]));
});

test("parseRecord: only what was not there before", () => {
  const text = `
libmpfr6 - - none < 4.2.0-1 amd64 same /mirror/./libmpfr6_4.2.0-1_amd64.deb
rsync - - none < 3.2.7 amd64 none /var/cache/apt/archives/rsync_3.2.7_amd64.deb
openssl 3.0.1 amd64 none < 3.0.2 amd64 none /var/cache/apt/archives/openssl.deb
libmpfr6 - - none < 4.2.0-1 amd64 same **CONFIGURE**
old 1 amd64 none > - - none **REMOVE**
`;
  expect(parseRecord(text)).toEqual(["libmpfr6", "rsync"]);
});

test.each<[string, string | undefined]>([
  [
    "Get:1 http://deb.debian.org/debian bookworm/main amd64 gawk amd64 1:5.2.1-2 [673 kB]",
    "downloading gawk 1:5.2.1-2 (673 kB)",
  ],
  ["Get:3 file:/mirror ./ Packages [80 kB]", "fetching package lists"],
  ["Unpacking libreadline8:amd64 (8.2-1.3) ...", "unpacking libreadline8"],
  ["Setting up mariadb-server (1:10.11.19-0+deb12u1) ...", "setting up mariadb-server"],
  ["Removing socat (1.7.4.4-2) ...", "removing socat"],
  ["Reading package lists...", undefined],
])("parseProgress %s", (line, wanted) => {
  expect(parseProgress(line)).toBe(wanted);
});

const failures: [Failure, string, code: string][] = [
  [
    "locked",
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)",
    "packages.failed",
  ],
  ["locked", "dpkg: error: dpkg frontend lock was locked by another process with pid 812", "packages.failed"],
  ["unknown", "E: Unable to locate package mariadb-server", "packages.unknown"],
  ["unknown", "E: Package 'x' has no installation candidate", "packages.unknown"],
  [
    "unreachable",
    "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Could not connect to deb.debian.org:80 (192.0.2.7), connection timed out",
    "packages.unreachable",
  ],
  [
    "no_space",
    "dpkg: error processing archive x.deb (--unpack):\n cannot copy extracted data for './usr/sbin/mariadbd' to '/usr/sbin/mariadbd.dpkg-new': failed to write (No space left on device)",
    "packages.no_space",
  ],
  ["no_space", "E: You don't have enough free space in /var/cache/apt/archives/.", "packages.no_space"],
  [
    "interrupted",
    "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
    "packages.failed",
  ],
  [
    "other",
    "The following packages have unmet dependencies:\nE: Unable to correct problems, you have held broken packages.",
    "packages.conflict",
  ],
  ["other", "E: Sub-process /usr/bin/dpkg returned an error code (1)", "packages.failed"],
];

test.each(failures)("classify %s: %s", (wanted, output, code) => {
  expect(classify(output)).toBe(wanted);
  const error = installError(["mariadb-server"], output, "/log");
  expect(error).toMatchObject({ code, exit: 1 });
  expect(error.message).toContain(code === "packages.unreachable" ? "deb.debian.org" : "mariadb-server");
  expect(error.remedy).toBeTruthy();
});

test("what dpkg gives as its cause is told, and not what apt says of it", () => {
  const output = `Reading state information...
dpkg: error processing package libreadline8:amd64 (--configure):
 package is in a very bad inconsistent state; you should
 reinstall it before attempting configuration
Errors were encountered while processing:
 libreadline8:amd64
E: Sub-process /usr/bin/dpkg returned an error code (1)
`;
  expect(installError(["gawk"], output, "/log").message).toBe(
    "installing gawk failed: dpkg: error processing package libreadline8:amd64 (--configure): package is in a very bad inconsistent state; you should reinstall it before attempting configuration",
  );
});

describe("unreachablePlace", () => {
  test.each([
    ["E: Failed to fetch http://user:secret@repo.example:8080/x/InRelease  404", "repo.example:8080"],
    ["Err: none", undefined],
    ["E: Failed to fetch file:/mirror/./Packages  File not found", "file:/mirror/./Packages"],
  ])("%s", (output, wanted) => {
    expect(unreachablePlace(output)).toBe(wanted as string);
  });
});

/** apt 2.6 with gpgv, and 3.0 with sqv. */
describe("a repository whose signature is not accepted", () => {
  const expired = `W: GPG error: https://repo.mysql.com/apt/debian bookworm InRelease: The following signatures were invalid: EXPKEYSIG B7B3B788A8D3785C MySQL Release Engineering <mysql-build@oss.oracle.com>
E: The repository 'https://repo.mysql.com/apt/debian bookworm InRelease' is not signed.
`;
  test.each([
    [
      expired,
      "https://repo.mysql.com/apt/debian",
      "EXPKEYSIG B7B3B788A8D3785C MySQL Release Engineering <mysql-build@oss.oracle.com>",
    ],
    [
      "W: OpenPGP signature verification failed: https://10.77.0.100/apt stand-in InRelease: Sub-process /usr/bin/sqv returned an error code (1), error message is: Missing key 5A1B, which is needed to verify signature.\n",
      "https://10.77.0.100/apt",
      "Missing key 5A1B, which is needed to verify signature.",
    ],
    [
      "E: The repository 'https://vendor.test/apt bookworm Release' is not signed.\n",
      "https://vendor.test/apt",
      "it is not signed",
    ],
  ])("%#", (output, place, why) => {
    expect(untrustedPlace(output)).toEqual({ place, why });
  });

  test("is the reason why its package is unknown; another repository's trouble is none of a package that fails otherwise", () => {
    const unknown = "E: Unable to locate package mysql-community-server\n";
    expect(installError(["mysql-community-server"], unknown, "/log", expired)).toMatchObject({
      code: "packages.untrusted",
      message: expect.stringContaining("https://repo.mysql.com/apt/debian cannot be trusted: EXPKEYSIG"),
    });
    expect(installError(["x"], unknown, "/log", "").code).toBe("packages.unknown");
    expect(installError(["x"], "E: Sub-process dpkg returned an error", "/log", expired).code).toBe(
      "packages.failed",
    );
    expect(untrustedPlace("Hit:1 https://vendor.test/apt bookworm InRelease\n")).toBeUndefined();
  });
});
