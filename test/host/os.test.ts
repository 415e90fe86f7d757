import { describe, expect, test } from "bun:test";
import type { Facts } from "../../src/host/facts.ts";
import { parseOsRelease, systemKey } from "../../src/host/os.ts";

/** Recorded from the systems' own files. */
const releases: [key: string, text: string, wanted: Facts["os"]][] = [
  [
    "debian-12",
    `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
`,
    {
      id: "debian",
      versionId: "12",
      codename: "bookworm",
      family: "debian",
      name: "Debian GNU/Linux 12 (bookworm)",
    },
  ],
  [
    "debian-13",
    `PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
DEBIAN_VERSION_FULL=13.1
ID=debian
`,
    {
      id: "debian",
      versionId: "13",
      codename: "trixie",
      family: "debian",
      name: "Debian GNU/Linux 13 (trixie)",
    },
  ],
  [
    "ubuntu-22.04",
    `PRETTY_NAME="Ubuntu 22.04.5 LTS"
NAME="Ubuntu"
VERSION_ID="22.04"
VERSION="22.04.5 LTS (Jammy Jellyfish)"
VERSION_CODENAME=jammy
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=jammy
`,
    { id: "ubuntu", versionId: "22.04", codename: "jammy", family: "debian", name: "Ubuntu 22.04.5 LTS" },
  ],
  [
    "ubuntu-24.04",
    `PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
LOGO=ubuntu-logo
`,
    { id: "ubuntu", versionId: "24.04", codename: "noble", family: "debian", name: "Ubuntu 24.04.1 LTS" },
  ],
  [
    "rocky-8",
    `NAME="Rocky Linux"
VERSION="8.10 (Green Obsidian)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="8.10"
PLATFORM_ID="platform:el8"
PRETTY_NAME="Rocky Linux 8.10 (Green Obsidian)"
ANSI_COLOR="0;32"
`,
    {
      id: "rocky",
      versionId: "8.10",
      codename: "",
      family: "el",
      name: "Rocky Linux 8.10 (Green Obsidian)",
    },
  ],
  [
    "rocky-9",
    `NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
`,
    { id: "rocky", versionId: "9.4", codename: "", family: "el", name: "Rocky Linux 9.4 (Blue Onyx)" },
  ],
];

describe("parseOsRelease", () => {
  test.each(releases)("%s", (key, text, wanted) => {
    expect(parseOsRelease(text)).toEqual(wanted);
    expect(systemKey(wanted)).toBe(key);
  });

  test.each<[string, string]>([
    [`NAME='single "quoted"'`, 'single "quoted"'],
    [`NAME="a \\"b\\" \\$c \\\\"`, 'a "b" $c \\'],
    ["NAME=bare", "bare"],
    ["# NAME=comment", ""],
    ["", ""],
  ])("quoting: %s", (text, name) => {
    expect(parseOsRelease(text)).toMatchObject({ name, family: "unknown" });
  });
});
