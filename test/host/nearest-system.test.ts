import { expect, test } from "bun:test";
import { nearestSystem } from "../../src/host/nearest-system.ts";
import { parseOsRelease } from "../../src/host/os.ts";

const all = ["debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "el-8", "el-9", "el-10"];
const today = ["debian-12", "debian-13"];

test.each([
  ["ID=debian\nVERSION_ID=11", all, "Debian 12"],
  ["ID=debian\nVERSION_CODENAME=forky", all, "Debian 13"],
  ["ID=ubuntu\nID_LIKE=debian\nVERSION_ID=20.04", all, "Ubuntu 22.04"],
  ["ID=ubuntu\nID_LIKE=debian\nVERSION_ID=26.04", all, "Ubuntu 24.04"],
  ["ID=linuxmint\nID_LIKE=ubuntu debian\nVERSION_ID=22", all, "Debian 13"],
  ["ID=centos\nID_LIKE=rhel\nVERSION_ID=7", all, "Enterprise Linux 8"],
  ["ID=openEuler\nVERSION_ID=25.03", all, "Enterprise Linux 10"],
  ["ID=fedora\nVERSION_ID=41", all, "Enterprise Linux 10"],
  ["ID=alpine\nVERSION_ID=3.20", all, "Debian 13"],
  ["", all, "Debian 13"],
  ["ID=rocky\nID_LIKE=rhel\nVERSION_ID=9.4", today, "Debian 13"],
  ["ID=ubuntu\nID_LIKE=debian\nVERSION_ID=24.04", today, "Debian 13"],
])("from %j it is not far to a supported one", (text, supported, name) => {
  expect(nearestSystem(parseOsRelease(text), supported)).toBe(name);
});
