import { describe, expect, test } from "bun:test";
import { fillingOf, whyNeeded } from "../../../src/roles/minio/drives.ts";
import type { StoreInfo } from "../../../src/roles/minio/info.ts";
import { quorumOf } from "../../../src/roles/minio/quorum.ts";

type Drive = StoreInfo["servers"][number]["drives"][number];

const driveOf = (at: string, slot: number, more: Partial<Drive> = {}): Drive => ({
  endpoint: `http://minio${slot}.chime.com:9000${at}`,
  path: at,
  state: "ok",
  healing: false,
  heal_info: null,
  totalspace: 0,
  availspace: 0,
  ...more,
});

/** @param bad what is not well, by `SLOT.DISK` */
function infoOf(nodes: number, disks: number, bad: Record<string, Partial<Drive>>): StoreInfo {
  const servers = Array.from({ length: nodes }, (_, n) => ({
    endpoint: `minio${n + 1}.chime.com:9000`,
    drives: Array.from({ length: disks }, (_, d) =>
      driveOf(`/minio/disk${d + 1}`, n + 1, bad[`${n + 1}.${d + 1}`]),
    ),
  }));
  return { servers };
}

const away = { state: "offline" };
const gone = (...drives: string[]) => Object.fromEntries(drives.map((drive) => [drive, away]));

describe("whether a drive can be spared", () => {
  type Case = [
    what: string,
    shape: [nodes: number, disks: number],
    bad: Record<string, Partial<Drive>>,
    owing: string[],
    why: RegExp | undefined,
  ];
  test.each<Case>([
    ["all are well", [3, 3], {}, [], undefined],
    ["it is gone already", [3, 3], gone("1.1"), ["node1"], undefined],
    ["as many are gone as may be", [3, 3], gone("1.1", "2.1", "2.2", "2.3"), ["node1"], undefined],
    ["one more is", [3, 3], gone("1.1", "2.1", "2.2", "2.3", "3.1"), [], /^4 of the 8 .* 5 are needed/],
    ["writes would stop", [2, 3], gone("2.1", "2.2"), [], /^3 of the 5 other .* writes need 4/],
    ["another one is being filled", [3, 1], { "2.1": { healing: true } }, [], /^1 of the 2 .* 2 are needed/],
    ["objects may be on too few", [3, 3], {}, ["node3"], /minio.completing, node3/],
    ["another one is away, and nobody owes anything yet", [3, 3], gone("2.1"), [], /\(minio.completing\)/],
  ])("%s", (_, [nodes, drivesPerNode], bad, owing, why) => {
    const quorum = quorumOf({ nodes, drivesPerNode });
    const found = whyNeeded(
      infoOf(nodes, drivesPerNode, bad),
      { slot: 1, at: "/minio/disk1", isUsed: true },
      quorum,
      owing,
    );
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(why);
  });

  test("one to which nothing can be written is missed by nobody, whatever the engine says of it", () => {
    const own = { slot: 1, at: "/minio/disk1", isUsed: false };
    expect(
      whyNeeded(infoOf(3, 3, {}), own, quorumOf({ nodes: 3, drivesPerNode: 3 }), ["node1"]),
    ).toBeUndefined();
  });

  test("only the drives of its own set count", () => {
    // 6 nodes with 4 disks: two sets of 12, the first two disks of each node and the last two.
    const quorum = quorumOf({ nodes: 6, drivesPerNode: 4 });
    const bad = gone("1.3", "2.3", "3.3", "4.3", "5.3", "6.3", "1.4", "2.4");
    const at = (disk: number) => ({ slot: 6, at: `/minio/disk${disk}`, isUsed: true });
    expect(whyNeeded(infoOf(6, 4, bad), at(1), quorum, [])).toBeUndefined();
    expect(whyNeeded(infoOf(6, 4, bad), at(4), quorum, [])).toMatch(/^3 of the 11 /);
  });
});

test.each([
  [undefined, [], "waiting", "up to 30 s"],
  [driveOf("/minio/disk1", 1, { state: "unformatted" }), [], "waiting", "unformatted"],
  [driveOf("/minio/disk1", 1, { healing: true }), [], "filling", "0 items"],
  [driveOf("/minio/disk1", 1), ["node2"], "filling", "node2"],
  [driveOf("/minio/disk1", 1), [], "done", "filled"],
] as const)("how far a drive is: %#", (drive, owing, state, words) => {
  const found = fillingOf(drive, owing);
  expect(found.state).toBe(state);
  expect(found.line).toContain(words);
});
