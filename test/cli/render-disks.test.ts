import { expect, test } from "bun:test";
import { renderDisks } from "../../src/cli/render-disks.ts";
import { createStyle } from "../../src/cli/style.ts";
import type { DiskReport } from "../../src/operations/disks.ts";

const disk: DiskReport = {
  name: "/dev/disk/by-id/ata-WDC_WD40EFRX_WD-1",
  kernel_name: "sdb",
  type: "disk",
  size_bytes: 4_000_787_030_016,
  model: "WDC WD40EFRX",
  serial: "WD-1",
  wwn: null,
  carries: [],
  usable: true,
  reason: null,
  warnings: [],
};

test("the free ones come first, each other one with its reason", () => {
  const used: DiskReport = {
    ...disk,
    name: "/dev/sda",
    kernel_name: "sda",
    size_bytes: 512,
    model: null,
    serial: null,
    usable: false,
    carries: ["gpt", "sda1"],
    reason: { code: "system", message: "holds /" },
  };
  const text = renderDisks([used, disk], createStyle(false));
  expect(text.split("\n")).toEqual([
    "NAME                                   KERNEL  SIZE     MODEL         SERIAL  CARRIES    USABLE  WHY",
    "/dev/disk/by-id/ata-WDC_WD40EFRX_WD-1  sdb     3.6 TiB  WDC WD40EFRX  WD-1    -          yes",
    "/dev/sda                               sda     512 B    -             -       gpt, sda1  no      holds /",
  ]);
});

test("a machine without any", () => {
  expect(renderDisks([], createStyle(false))).toBe("this machine has no block device");
});
