import { expect, test } from "bun:test";
import { chooseDisks, diskChecks } from "../../../src/host/disks/choose.ts";
import { runChecks } from "../../../src/host/preflight.ts";
import { diskOf } from "./facts.ts";

const byId = "/dev/disk/by-id/ata-WDC_WD40EFRX_WD-WCC4E1234567";
const nodes: Record<string, string> = {
  "/dev/sdb": "8:16",
  [byId]: "8:16",
  "/dev/sdc": "8:32",
  "/dev/sdx": "8:99",
};
const numberOf = (path: string) => nodes[path];
const disks = [
  diskOf(),
  diskOf(
    { mounts: [{ target: "/srv", where: null }] },
    { kernelName: "sdc", path: "/dev/sdc", number: "8:32" },
  ),
];
const check = (word: string, ...before: string[]) =>
  chooseDisks([...before, word], disks, numberOf).at(-1)?.finding;

test.each(["sdb", "/dev/sdb", byId, "ata-WDC_WD40EFRX_WD-WCC4E1234567"])(
  "a free disk by any of its names: %s",
  (word) => {
    expect(check(word)).toBeUndefined();
  },
);

test.each([
  ["sdc", "sdc is mounted at /srv"],
  ["sdq", "there is no disk sdq"],
  ["../../etc/passwd", "there is no disk ../../etc/passwd"],
  ["", "there is no disk "],
  ["/dev/sdx", "there is no disk /dev/sdx"],
])("refused: %p, %s", (word, message) => {
  expect(check(word)).toMatchObject({ severity: "error", message });
});

test("one disk by two names is one disk", () => {
  expect(check(byId, "sdc", "sdb")).toMatchObject({
    severity: "error",
    message: `${byId} is the same disk as sdb`,
  });
});

test("a disk without a serial number is taken with a word about it", () => {
  const bare = [diskOf({ stableName: "/dev/sdb" }, { serial: null, wwn: null })];
  expect(chooseDisks(["sdb"], bare, numberOf)[0]?.finding).toMatchObject({
    severity: "warning",
    message: "sdb has no serial number: it can be told by its kernel name and size only",
  });
});

test("the machine is looked at once, and only when it is asked", async () => {
  let looks = 0;
  const checks = diskChecks(["sdq", "sdr"], async () => {
    looks++;
    return disks;
  });
  expect(looks).toBe(0);
  const report = await runChecks(checks);
  expect(looks).toBe(1);
  expect(report.ok).toBe(false);
});
