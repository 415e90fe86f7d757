import { describe, expect, test } from "bun:test";
import { identify } from "../../src/host/disks/identity.ts";
import type { Disk } from "../../src/host/disks/look.ts";
import type { GivenDisk } from "../../src/host/disks/record.ts";
import { findPlace, requireFitting } from "../../src/operations/replace-disk.ts";
import { diskOf, factsOf } from "../host/disks/facts.ts";

const disk = (serial: string, size = 4e12, more: Parameters<typeof factsOf>[0] = {}): Disk =>
  diskOf({ stableName: `/dev/disk/by-id/${serial}`, ...more }, { serial, size });
const given = (slot: number, serial: string): GivenDisk => ({
  label: `minio-disk${slot}`,
  uuid: `6f1c8b1e-0000-4000-8000-${String(slot).padStart(12, "0")}`,
  at: `/minio/disk${slot}`,
  identity: identify(factsOf({}, { serial, size: 4e12 }), "boot"),
});
const old = given(1, "A");
const all = [old, given(2, "B")];

describe("what comes in the place of another disk", () => {
  test.each([
    ["as large", disk("C"), undefined],
    ["larger", disk("C", 8e12), undefined],
    ["smaller by a block", disk("C", 4e12 - 4096), "disk.too_small"],
    ["another place's", disk("B"), "disk.given"],
    ["one that is mounted", disk("C", 4e12, { mounts: [{ target: "/srv", where: null }] }), "disk.refused"],
    [
      "one that carries something",
      disk("C", 4e12, { content: { signatures: ["ext4"], trouble: [] } }),
      "disk.refused",
    ],
  ])("%s", (_, found, code) => {
    const act = () => requireFitting(found, "sdx", old, all);
    if (code === undefined) expect(act).not.toThrow();
    else expect(act).toThrow(expect.objectContaining({ code, exit: 3 }));
  });
});

test("a place is told by its path or its label, and by nothing that moves", () => {
  expect(findPlace("/minio/disk2", all)).toBe(all[1] as GivenDisk);
  expect(findPlace("minio-disk1", all)).toBe(old);
  for (const word of ["/minio/disk3", "/dev/disk/by-id/A", "A", ""]) {
    expect(() => findPlace(word, all)).toThrow(expect.objectContaining({ code: "disk.no_place", exit: 2 }));
  }
});
