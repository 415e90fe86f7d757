import { expect, test } from "bun:test";
import { fieldOf, renderPackages, renderRelease } from "../../src/bundle/apt-repository.ts";
import { firstVersion, minimalStatus, parseSimulation } from "../../src/bundle/apt-simulation.ts";
import { poolName } from "../../src/bundle/closure.ts";

test("parseSimulation: what would be brought, by name", () => {
  const text = `Reading package lists...
Inst perl-base [5.36.0-7] (5.36.0-7+deb12u4 Debian-Security:12/oldstable-security [amd64]) [perl:amd64 on perl-base:amd64]
Conf perl-base (5.36.0-7+deb12u4 Debian-Security:12/oldstable-security [amd64])
Inst keepalived (1:2.2.7-1+b2 Debian:12.15/oldstable, Debian:12.14/oldstable [amd64])
Inst adduser (3.134 localhost [all])
Remv nothing [1]
`;
  expect(parseSimulation(text)).toEqual([
    { name: "adduser", version: "3.134", arch: "all", origin: "localhost" },
    { name: "keepalived", version: "1:2.2.7-1+b2", arch: "amd64", origin: "Debian:12.15/oldstable" },
    {
      name: "perl-base",
      version: "5.36.0-7+deb12u4",
      arch: "amd64",
      origin: "Debian-Security:12/oldstable-security",
    },
  ]);
});

test.each([
  ["5.36.0-7+deb12u4", "5.36.0-7"],
  ["1:2.66-4+deb12u3+b1", "1:2.66-4"],
  ["6.4-4", "6.4-4"],
  ["2.38.1-5+b1", "2.38.1-5+b1"],
  ["2.35-0ubuntu3.8", "2.35-0ubuntu3"],
  ["5.34.0-3ubuntu1", "5.34.0-3ubuntu1"],
  ["255.4-1ubuntu0.22.04.2", "0"],
  // A newer version from the next release: nobody can tell what it replaced.
  ["252.39-1~deb12u2", "0"],
])("a release that has %s now began with %s", (now, then) => {
  expect(firstVersion(now)).toBe(then);
});

const record = `Package: perl-base
Source: perl
Version: 5.36.0-7+deb12u4
Essential: yes
Architecture: amd64
Multi-Arch: allowed
Provides: libscalar-list-utils-perl
Pre-Depends: libc6 (>= 2.35), libcrypt1 (>= 1:4.1.0)
Filename: pool/main/p/perl/perl-base_5.36.0-7+deb12u4_amd64.deb
Size: 1609252
SHA256: ${"ab".repeat(32)}
`;

test("minimalStatus: installed, as the release began, whatever it needs", () => {
  expect(minimalStatus([record, record]).split("\n\n")[0]).toBe(
    `Package: perl-base
Architecture: amd64
Multi-Arch: allowed
Provides: libscalar-list-utils-perl
Status: install ok installed
Maintainer: -
Description: -
Version: 5.36.0-7`,
  );
});

test("the repository's index names each file where it is, and its Release has the index's sum", () => {
  const one = { name: "perl-base", version: "1:5.36.0-7", arch: "amd64", origin: "o", record };
  expect(poolName(one, "deb")).toBe("pool/perl-base_5.36.0-7_amd64.deb");
  expect([fieldOf(one, "SHA256"), fieldOf(one, "Source"), fieldOf(one, "Section")]).toEqual([
    "ab".repeat(32),
    "perl",
    undefined,
  ]);
  const index = renderPackages([one, one]);
  expect(index.split("\n\n")).toHaveLength(2);
  expect(index.split("\n").filter((line) => line.startsWith("Filename:"))).toEqual(
    Array(2).fill("Filename: ./pool/perl-base_5.36.0-7_amd64.deb"),
  );
  const sum = new Bun.CryptoHasher("sha256").update(index).digest("hex");
  expect(renderRelease(index, { codename: "bookworm", arch: "amd64" })).toEndWith(
    `SHA256:\n ${sum} ${index.length} Packages\n`,
  );
});
