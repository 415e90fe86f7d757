import { expect, test } from "bun:test";
import { describeDisk, identify, isSameDisk } from "../../../src/host/disks/identity.ts";
import { factsOf } from "./facts.ts";

const numbered = identify(factsOf(), "boot");
const bare = identify(factsOf({ stableName: "/dev/sdb" }, { serial: null, wwn: null }), "boot");

test("known by its numbers, wherever it is", () => {
  const moved = { ...numbered, name: "/dev/sdq", state: "65:0 8589934592 9" };
  expect(isSameDisk(numbered, moved)).toBe(true);
});

test.each([
  ["serial", { serial: "WD-1" }],
  ["WWN", { wwn: null }],
  ["size", { size: numbered.size + 512 }],
])("another %s is another disk, under the same name", (_what, changed) => {
  expect(isSameDisk(numbered, { ...numbered, ...changed })).toBe(false);
});

test("without numbers: the same name, and nothing new under it since it was chosen", () => {
  expect(isSameDisk(bare, bare)).toBe(true);
  expect(isSameDisk(bare, { ...bare, name: "/dev/sdc" })).toBe(false);
  expect(isSameDisk(bare, { ...bare, state: "8:16 8589934592 8" })).toBe(false);
  // The kernel counts anew after a boot.
  expect(isSameDisk(bare, { ...bare, state: "8:16 8589934592 2", boot: "next" })).toBe(true);
});

test("a disk that got a serial number is another one than one without", () => {
  expect(isSameDisk(bare, { ...bare, serial: "1" })).toBe(false);
});

test("for people", () => {
  expect(describeDisk(numbered)).toBe(
    "/dev/disk/by-id/ata-WDC_WD40EFRX_WD-WCC4E1234567 (WDC WD40EFRX, serial WD-WCC4E1234567, WWN 0x50014ee2b5a1c0de, 4 TiB)",
  );
  expect(describeDisk(bare)).toBe(
    "/dev/sdb (WDC WD40EFRX, no serial number: known by its name and size only, 4 TiB)",
  );
});
