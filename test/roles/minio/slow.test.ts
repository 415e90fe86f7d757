import { expect, test } from "bun:test";
import { slowIn } from "../../../src/roles/minio/slow.ts";

type Means = Record<string, [count: number, ms: number]>;

/** Three nodes with two drives each, all alike but for the second one of the second node. */
function timesOf(usual: Means, odd: Means) {
  const drive = (path: string, means: Means) => ({
    path,
    metrics: {
      lastMinute: Object.fromEntries(
        Object.entries(means).map(([call, [count, ms]]) => [call, { count, acc_time_ns: count * ms * 1e6 }]),
      ),
    },
  });
  const node = (slot: number, second: Means) => ({
    endpoint: `minio${slot}.chime.com:9000`,
    drives: [drive("/minio/disk1", usual), drive("/minio/disk2", second)],
  });
  return { servers: [node(1, usual), node(2, odd), node(12, usual)] };
}

test.each<[what: string, usual: Means, odd: Means, slow: string[]]>([
  ["as the others", { RenameData: [200, 8] }, { RenameData: [200, 9] }, []],
  [
    "slow at one call",
    { RenameData: [200, 8], ReadXL: [90, 1] },
    { RenameData: [200, 240], ReadXL: [90, 1] },
    ["/minio/disk2"],
  ],
  ["slower, and quick enough", { RenameData: [200, 8] }, { RenameData: [200, 90] }, []],
  ["as slow as all", { RenameData: [200, 300] }, { RenameData: [200, 400] }, []],
  ["slow twice in a minute", { RenameData: [200, 8] }, { RenameData: [2, 9_000] }, []],
  ["slow at what its clients do", { CreateFile: [200, 8] }, { CreateFile: [200, 5_000] }, []],
  ["nothing to compare it with", {}, { RenameData: [200, 300] }, []],
])("a drive that is %s", (_, usual, odd, slow) => {
  expect(slowIn(timesOf(usual, odd), 2)).toEqual(slow);
  expect(slowIn(timesOf(usual, odd), 1)).toEqual([]);
});

test("a server that tells nothing of its drives has no slow ones", () => {
  expect(
    slowIn({ servers: [{ endpoint: "minio2.chime.com:9000", drives: [{ path: "/minio/disk1" }] }] }, 2),
  ).toEqual([]);
});
