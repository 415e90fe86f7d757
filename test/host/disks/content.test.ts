import { expect, test } from "bun:test";
import { parseBlkid, parseWipefs } from "../../../src/host/disks/content.ts";
import { parseLosetup } from "../../../src/host/disks/loops.ts";
import { toNumber } from "../../../src/host/disks/number.ts";

test("wipefs: types by device; nothing at all is nothing", () => {
  const output = `{"signatures": [
    {"device":"sdb","offset":"0x200","type":"gpt","uuid":null,"label":null},
    {"device":"sdb","offset":"0x1fe","type":"PMBR","uuid":null,"label":null},
    {"device":"sdc","offset":"0x0","type":"xfs","uuid":"1","label":"data"}]}`;
  expect(Object.fromEntries(parseWipefs(output) ?? [])).toEqual({ sdb: ["gpt", "PMBR"], sdc: ["xfs"] });
  for (const nothing of ["", "\n", `{"signatures": []}`]) expect(parseWipefs(nothing)?.size).toBe(0);
});

test.each(["{}", "x", `{"signatures":[{"device":"sdb"}]}`, `{"signatures": [`])(
  "what wipefs does not print is not taken for nothing: %s",
  (output) => {
    expect(parseWipefs(output)).toBeUndefined();
  },
);

test("blkid: a file system, a table, both, or something without a name", () => {
  expect(parseBlkid("")).toEqual([]);
  expect(parseBlkid("DEVNAME=/dev/sdb\nUUID=1\nTYPE=xfs\nUSAGE=filesystem\n")).toEqual(["xfs"]);
  expect(parseBlkid("DEVNAME=/dev/sdb\nTYPE=exfat\nPTTYPE=dos\n")).toEqual(["exfat", "dos"]);
  expect(parseBlkid("DEVNAME=/dev/sdb\nPART_ENTRY_NUMBER=1\n")).toEqual(["something unknown"]);
});

test("losetup: whose file, and whether all of it", () => {
  const output = `{"loopdevices": [
    {"name":"/dev/loop0", "back-ino":12, "back-maj:min":"     254:0  ", "back-file":"/a b.img", "offset":0, "sizelimit":0},
    {"name":"/dev/loop1", "back-ino":"12", "back-maj:min":"254:0", "back-file":"/a b.img", "offset":"512", "sizelimit":"0"},
    {"name":"/dev/loop2", "back-ino":null, "back-maj:min":null, "back-file":null, "offset":0, "sizelimit":0}]}`;
  expect(parseLosetup(output)).toEqual([
    { device: "/dev/loop0", file: "/a b.img", identity: "254:0:12", partial: false },
    { device: "/dev/loop1", file: "/a b.img", identity: "254:0:12", partial: true },
  ]);
  expect(parseLosetup("")).toEqual([]);
  expect(() => parseLosetup("{}")).toThrow();
});

test("device numbers are taken apart as makedev(3) puts them together", () => {
  for (const [major, minor] of [
    [8, 16],
    [259, 7],
    [7, 300],
    [4095, 0xfffff],
  ] as const) {
    const device = (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor >>> 8) * 2 ** 20;
    expect(toNumber(device)).toBe(`${major}:${minor}`);
  }
});
