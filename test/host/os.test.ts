import { describe, expect, test } from "bun:test";
import { parseOsRelease, systemKey } from "../../src/host/os.ts";
import { releases } from "./os-releases.ts";

describe("parseOsRelease", () => {
  test.each(releases.map((release) => [release.text.match(/^PRETTY_NAME="(.*)"$/m)?.[1] ?? "", release]))(
    "%s",
    (name, { key, family, codename, text }) => {
      const os = parseOsRelease(text);
      expect(os).toMatchObject({ name, family, codename });
      expect(text).toContain(`VERSION_ID="${os.versionId}"`);
      expect(systemKey(os)).toBe(key);
    },
  );

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

// Each shares a word with a system that is known, and is another one.
test.each([
  ["Kylin's desktop, of Debian's kind", 'ID=kylin\nID_LIKE=debian\nVERSION_ID="V10"', "debian", "kylin-V10"],
  ["an openEuler between the long-lived ones", 'ID="openEuler"\nVERSION_ID="23.09"', "el", "openEuler-23.09"],
  ["a Kylin of which nothing is known", 'ID="kylin"\nVERSION_ID="V11"', "el", "kylin-V11"],
  ["Fedora", 'ID=fedora\nVERSION_ID="41"', "el", "fedora-41"],
  ["Amazon's", 'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"', "el", "amzn-2023"],
  ["Linux Mint", 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"', "debian", "linuxmint-22"],
  ["Debian sid", "ID=debian\nVERSION_CODENAME=forky", "debian", "debian-forky"],
  ["Alpine", "ID=alpine\nVERSION_ID=3.20.1", "unknown", "alpine-3.20.1"],
])("%s goes by its own name", (_what, text, family, key) => {
  const os = parseOsRelease(text);
  expect([os.family, systemKey(os)]).toEqual([family as typeof os.family, key]);
});
