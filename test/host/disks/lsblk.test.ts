import { expect, test } from "bun:test";
import { parseLsblk } from "../../../src/host/disks/lsblk.ts";
import { random } from "../../plan/random.ts";

/** util-linux 2.38. */
const debian12 = `{"blockdevices":[
  {"name":"sda","kname":"sda","maj:min":"8:0","type":"disk","size":480103981056,"ro":false,"rm":false,
   "model":"SAMSUNG MZ7LH480 ","serial":"S45NNE0M400001","wwn":"0x5002538e40a1b2c3","fstype":null,"children":[
    {"name":"sda1","kname":"sda1","maj:min":"8:1","type":"part","size":480102932480,"ro":false,"rm":false,
     "model":null,"serial":null,"wwn":"0x5002538e40a1b2c3","fstype":"ext4"}]},
  {"name":"sr0","kname":"sr0","maj:min":"11:0","type":"rom","size":1073741312,"ro":false,"rm":true,
   "model":"DVD-ROM","serial":null,"wwn":null,"fstype":null}]}`;

/** util-linux 2.32 (EL 8): numbers and flags are strings. */
const el8 = `{"blockdevices": [
  {"name":"nvme0n1", "kname":"nvme0n1", "maj:min":"259:0", "type":"disk", "size":"960197124096", "ro":"0", "rm":"0",
   "model":"Dell Express Flash", "serial":"PHLN0001", "wwn":"eui.01000000010000005cd2e4", "fstype":null},
  {"name":"cciss!c0d1", "kname":"cciss!c0d1", "maj:min":"104:16", "type":"disk", "size":"73372631040", "ro":"1", "rm":"0",
   "model":null, "serial":null, "wwn":null, "fstype":null}]}`;

/** Multipath: the mapping stands below each of its paths. */
const mapping = `{"kname":"dm-0","maj:min":"253:0","type":"mpath","size":1024,"ro":false,"rm":false}`;
const multipath = `{"blockdevices":[
  {"kname":"sdb","maj:min":"8:16","type":"disk","size":1024,"ro":false,"rm":false,"children":[${mapping}]},
  {"kname":"sdc","maj:min":"8:32","type":"disk","size":1024,"ro":false,"rm":false,"children":[${mapping}]}]}`;

test("devices and partitions, with what they are called", () => {
  expect(parseLsblk(debian12)).toEqual([
    {
      kernelName: "sda",
      path: "/dev/sda",
      number: "8:0",
      type: "disk",
      size: 480103981056,
      readOnly: false,
      removable: false,
      model: "SAMSUNG MZ7LH480",
      serial: "S45NNE0M400001",
      wwn: "0x5002538e40a1b2c3",
      fileSystem: null,
    },
    expect.objectContaining({ kernelName: "sda1", type: "part", fileSystem: "ext4", serial: null }),
    expect.objectContaining({ kernelName: "sr0", type: "rom", removable: true }),
  ]);
});

test("numbers and flags that are strings, and a name with a slash in it", () => {
  expect(parseLsblk(el8)).toMatchObject([
    { size: 960197124096, readOnly: false, wwn: "eui.01000000010000005cd2e4" },
    { kernelName: "cciss!c0d1", path: "/dev/cciss/c0d1", readOnly: true },
  ]);
});

test("a device below two others is one", () => {
  expect(parseLsblk(multipath).map(({ kernelName }) => kernelName)).toEqual(["sdb", "dm-0", "sdc"]);
});

test.each([
  ["", /JSON/],
  ["[]", /blockdevices/],
  [`{"blockdevices":[{}]}`, /kname/],
  [el8.replace(`"0"`, `"yes"`), /not understood/],
  [el8.replace(`"960197124096"`, `"894G"`), /not understood/],
  [el8.replace(`"kname":"nvme0n1"`, `"kname":"../sda"`), /not understood/],
])("what is not of that form is an error, never a shorter list: %p", (output, message) => {
  expect(() => parseLsblk(output)).toThrow(message);
});

test("any damage gives an error or the same devices", () => {
  const next = random(11);
  const whole = parseLsblk(el8).map(({ kernelName, number }) => `${kernelName} ${number}`);
  for (let round = 0; round < 2_000; round++) {
    const at = next(el8.length);
    const damaged = el8.slice(0, at) + el8.slice(at + 1 + next(40));
    let found: string[] | undefined;
    try {
      found = parseLsblk(damaged).map(({ kernelName, number }) => `${kernelName} ${number}`);
    } catch (error) {
      expect((error as { code: string }).code).toBe("disks.unreadable");
    }
    // Digits can be lost; a device cannot appear from nowhere.
    if (found) expect(found.length).toBeLessThanOrEqual(whole.length);
  }
});
