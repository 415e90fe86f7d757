import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dataFound, dataOf, disksOf, intentByMarkers } from "../../src/operations/reset.ts";

const disk = (slot: number) => {
  const numbers = { model: "DISK 4000", serial: `S${slot}`, wwn: null, size: 4e12 };
  return {
    label: `minio-disk${slot}`,
    identity: { name: `/dev/disk/by-id/d${slot}`, ...numbers, state: "", boot: "" },
  };
};
const disks = [disk(1), disk(2)];
const all = ["minio-disk1 on /dev/disk/by-id/d1", "minio-disk2 on /dev/disk/by-id/d2"];

test.each([
  ["kept, unless told otherwise", undefined, { kept: ["/data", ...all], deleted: [], not_found: [] }],
  ["deleted", new Map<string, string>(), { kept: [], deleted: ["/data", ...all], not_found: [] }],
  [
    "one disk was pulled: it is told by its numbers, and not as deleted",
    new Map([["minio-disk2", "it is not in this machine"]]),
    {
      kept: [],
      deleted: ["/data", all[0] ?? ""],
      not_found: [
        "minio-disk2 on /dev/disk/by-id/d2 (DISK 4000, serial S2, 3.6 TiB): it is not in this machine",
      ],
    },
  ],
])("what became of a node's data: %s", (_, left, found) => {
  expect(dataFound(["/data"], disks, left)).toEqual(found);
});

test.each([
  ["kept", undefined, { kept: ["/data", "/theirs"], deleted: [], not_found: [] }],
  ["deleted", new Map<string, string>(), { kept: ["/theirs"], deleted: ["/data"], not_found: [] }],
])("data of another cluster stay where those of this one are %s", (_, left, found) => {
  expect(dataFound(["/data"], [], left, ["/theirs"])).toEqual(found);
});

test.each([
  ["another cluster's stay", "one", ["own", "old"], ["theirs"]],
  ["where nobody knows which cluster it is, all are its own", undefined, ["own", "theirs", "old"], []],
])("which disks a reset makes blank: %s", (_, id, own, others) => {
  const disks = [{ name: "own", cluster: "one" }, { name: "theirs", cluster: "two" }, { name: "old" }];
  const found = disksOf(id, disks);
  expect([found.own, found.others].map((some) => some.map(({ name }) => name))).toEqual([own, others]);
});

test("after a leave the data tell whose they are; those of another cluster, or of nobody, are not ours", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chime-reset-"));
  try {
    const place = async (name: string, cluster?: string) => {
      const data = join(directory, name);
      await mkdir(data);
      const marker = { cluster, clusterName: `${cluster} by name`, node: "node1" };
      if (cluster !== undefined) await writeFile(join(data, "chime-node.json"), JSON.stringify(marker));
      return data;
    };
    const [bare, mine, more, other] = [
      await place("bare"),
      await place("mine", "one"),
      await place("more", "one"),
      await place("other", "two"),
    ];
    expect(await intentByMarkers([bare, join(directory, "gone"), mine, more, other])).toEqual({
      cluster: "one by name",
      id: "one",
      node: "node1",
      data: [mine, more],
      foreign: [other],
    });
    // A member's are all that nobody else's word is on.
    expect(await dataOf("one", [bare, mine, other])).toEqual({ data: [bare, mine], foreign: [other] });
    expect(await intentByMarkers([bare])).toBeUndefined();
  } finally {
    await rm(directory, { recursive: true });
  }
});
