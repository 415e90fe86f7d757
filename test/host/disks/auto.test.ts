import { describe, expect, test } from "bun:test";
import { parseAuto } from "../../../src/host/disks/auto.ts";
import { chooseDisks } from "../../../src/host/disks/choose.ts";
import { sizeText } from "../../../src/core/size.ts";
import { diskOf } from "./facts.ts";

test.each([
  ["auto:3x4T", { count: 3, size: 4e12, least: 4e12 }],
  ["auto:2x500G", { count: 2, size: 500e9, least: 500e9 }],
  ["auto:12x16Ti", { count: 12, size: 16 * 2 ** 40, least: 15.5 * 2 ** 40 }],
  ["auto:3x3.5Ti", { count: 3, size: 3.5 * 2 ** 40, least: Math.ceil(3.45 * 2 ** 40) }],
])("%s", (word, wanted) => {
  expect(parseAuto(word)).toEqual(wanted);
});

test.each([
  "auto:",
  "auto:3",
  "auto:0x4T",
  "auto:3x0T",
  "auto:3x4",
  "auto:3x4TB ",
  "auto:999x4T",
  "auto:3x4P",
  "auto:3x.5T",
  "auto:3x1.75T",
  "auto:3x1.T",
  "sdb",
])("not understood: %p", (word) => {
  expect(parseAuto(word)).toBeUndefined();
});

/** What is sold as 4 TB, in bytes. */
const size = 4_000_787_030_016;
const disk = (name: string, ofDevice: { size?: number } = {}, mounted = false) =>
  diskOf(
    { stableName: `/dev/${name}`, mounts: mounted ? [{ target: "/srv", where: null }] : [] },
    { kernelName: name, path: `/dev/${name}`, number: name, size, ...ofDevice },
  );
const numberOf = (path: string) => path.slice("/dev/".length);

describe("a proposal", () => {
  const choose = (words: string[], disks: ReturnType<typeof disk>[]) =>
    chooseDisks(words, disks, numberOf).map((choice) => [
      choice.disks.map(({ facts }) => facts.device.kernelName).join(" "),
      choice.finding?.message,
    ]);

  test("names what it would take, the first ones of those that are free and equal", () => {
    const disks = [
      disk("loop10"),
      disk("loop9"),
      disk("loop1", {}, true),
      disk("sdz", { size: 8e12 }),
      disk("loop2"),
    ];
    expect(choose(["auto:2x4T"], disks)).toEqual([
      ["loop2 loop9", "auto:2x4T would take /dev/loop2, /dev/loop9, the first of 3 that fit"],
    ]);
    expect(choose(["auto:3x4T"], disks)).toEqual([
      ["loop2 loop9 loop10", "auto:3x4T would take /dev/loop2, /dev/loop9, /dev/loop10"],
    ]);
  });

  test("4 TiB are 4 T, too", () => {
    expect(choose(["auto:1x4T"], [disk("sdb", { size: 4 * 2 ** 40 })])[0]?.[0]).toBe("sdb");
    expect(choose(["auto:1x4T"], [disk("sdb", { size: 4.5e12 })])[0]?.[0]).toBe("");
    expect(choose(["auto:1x4T"], [disk("sdb", { size: 3.99e12 })])[0]?.[0]).toBe("");
  });

  test("too few, or of unequal size", () => {
    const unequal = [disk("sda"), disk("sdb"), disk("sdc", { size: size + 512 }), disk("sdd", {}, true)];
    expect(choose(["auto:3x4T"], unequal)).toEqual([
      ["", "auto:3x4T finds only 2 free disks of one size; free: 2 of 3.6 TiB, 1 of 3.6 TiB"],
    ]);
    expect(choose(["auto:1x8T"], unequal)).toEqual([
      ["", "auto:1x8T finds only 0 free disks of one size; free: 2 of 3.6 TiB, 1 of 3.6 TiB"],
    ]);
    expect(choose(["auto:1x4T"], [disk("sdd", {}, true)])).toEqual([
      ["", "auto:1x4T finds only 0 free disks of one size; no disk is free"],
    ]);
  });

  test.each([0.5, 1, 2, 4, 8, 16, 18, 20].map((tera) => tera * 1e12))(
    "a size of %d bytes, as `disks` shows it, finds the disk that it was read of",
    (size) => {
      const word = `auto:1x${sizeText(size).replace(" ", "").replace("B", "")}`;
      expect(choose([word], [disk("sdb", { size })])[0]?.[0]).toBe("sdb");
    },
  );

  test("two sizes that would do: it does not guess", () => {
    const both = [disk("sda"), disk("sdb", { size: size + 512 })];
    expect(choose(["auto:1x4T"], both)).toEqual([
      ["", "auto:1x4T finds enough free disks of 2 sizes, and cannot tell which are meant"],
    ]);
  });

  test("takes nothing that was named, before it or after it, nor what another one takes", () => {
    const disks = [disk("sda"), disk("sdb"), disk("sdc"), disk("sdd")];
    expect(choose(["sdb", "auto:1x4T", "auto:1x4T", "sdd"], disks).map(([taken]) => taken)).toEqual([
      "sdb",
      "sda",
      "sdc",
      "sdd",
    ]);
    expect(choose(["auto:4x4T", "sdd"], disks)[0]).toEqual([
      "",
      "auto:4x4T finds only 3 free disks of one size; free: 3 of 3.6 TiB",
    ]);
  });

  test("a word that is not understood takes nothing", () => {
    expect(choose(["auto:all"], [disk("sda")])).toEqual([["", "auto:all is not understood"]]);
  });
});
