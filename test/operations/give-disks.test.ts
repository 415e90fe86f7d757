import { describe, expect, test } from "bun:test";
import { identify } from "../../src/host/disks/identity.ts";
import type { Disk } from "../../src/host/disks/look.ts";
import type { GivenDisk } from "../../src/host/disks/record.ts";
import {
  requireDisks,
  requireDisksOf,
  requireFitDisks,
  requireNoDisks,
} from "../../src/operations/give-disks.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { diskOf, factsOf } from "../host/disks/facts.ts";

const spec = parseSpec('[roles.minio]\nvip = "10.0.0.50"\ndisks_per_node = 2', "cluster.toml");
const disk = (serial: string, size = 4e12): Disk =>
  diskOf({ stableName: `/dev/disk/by-id/${serial}` }, { serial, size });
const given = (slot: number, serial: string): GivenDisk => ({
  label: `minio-disk${slot}`,
  uuid: `6f1c8b1e-0000-4000-8000-${String(slot).padStart(12, "0")}`,
  at: `/minio/disk${slot}`,
  identity: identify(factsOf({}, { serial, size: 4e12 }), "boot"),
});
const [a, b, c] = [disk("A"), disk("B"), disk("C")];

describe("what a node gives to its roles", () => {
  type Case = [what: string, chosen: Disk[], before: GivenDisk[], code: string | undefined];
  test.each<Case>([
    ["as many as the layout has", [a, b], [], undefined],
    ["too few", [a], [], "disk.count"],
    ["none", [], [], "disk.count"],
    ["too many", [a, b, c], [], "disk.count"],
    ["of two sizes", [a, disk("D", 8e12)], [], "disk.unequal"],
    ["the same again", [a, b], [given(1, "A"), given(2, "B")], undefined],
    ["none again", [], [given(1, "A"), given(2, "B")], undefined],
    ["one that another role has", [a, b], [{ ...given(1, "B"), label: "other-disk1" }], "disk.taken"],
    ["another one than before", [a, c], [given(1, "A"), given(2, "B")], "disk.given"],
  ])("%s", (_, chosen, before, code) => {
    const act = () => requireDisks(["minio"], chosen, before, spec);
    if (code === undefined) expect(act).not.toThrow();
    else expect(act).toThrow(expect.objectContaining({ code, exit: 3 }));
  });

  test("all but their number is told before the cluster is asked", () => {
    const given2 = [given(1, "A"), given(2, "B")];
    expect(requireFitDisks(["minio"], [a], [])).toBe(1);
    expect(requireFitDisks(["mysql"], [], given2)).toBe(0);
    expect(requireFitDisks(["minio"], [], given2)).toBeUndefined();
    expect(() => requireFitDisks(["minio"], [a, c], given2)).toThrow(
      expect.objectContaining({ code: "disk.given", exit: 3 }),
    );
  });

  test("what it gave to a cluster that it left is not for the next one", () => {
    const left = [{ ...given(1, "A"), cluster: "a" }, given(2, "B")];
    expect(() => requireDisksOf("a", ["minio"], left)).not.toThrow();
    expect(() => requireDisksOf("b", ["mysql"], left)).not.toThrow();
    expect(() => requireDisksOf("b", ["minio"], [given(2, "B")])).not.toThrow();
    expect(() => requireDisksOf("b", ["mysql", "minio"], left)).toThrow(
      expect.objectContaining({
        code: "disk.other_cluster",
        exit: 3,
        message: expect.stringContaining("disk1 on "),
      }),
    );
  });

  test("a role without disks takes none", () => {
    expect(() => requireDisks(["mysql"], [], [], spec)).not.toThrow();
    expect(() => requireNoDisks(["mysql", "witness"])).not.toThrow();
    expect(() => requireNoDisks(["minio"])).toThrow(
      expect.objectContaining({ code: "disk.by_join", exit: 2 }),
    );
  });
});
