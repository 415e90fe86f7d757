import { expect, test } from "bun:test";
import type { StoreInfo } from "../../../src/roles/minio/info.ts";
import { seenIn } from "../../../src/roles/minio/guard/inquiry.ts";

type DriveInfo = StoreInfo["servers"][number]["drives"][number];

const drive = (own: Partial<DriveInfo> = {}): DriveInfo => ({
  endpoint: "",
  path: "",
  state: "ok",
  healing: false,
  heal_info: null,
  totalspace: 1_000,
  availspace: 877,
  ...own,
});
const server = (endpoint: string, drives: DriveInfo[]) => ({
  endpoint,
  drives,
});
const info = (servers: StoreInfo["servers"]): StoreInfo => ({
  servers,
});

test("drives by the place of their node; of one that does not answer nothing counts", () => {
  const { nodes, capacity } = seenIn(
    info([
      server("minio1.chime.com:9000", [drive(), drive({ healing: true })]),
      server("minio12.chime.com:9000", [drive({ state: "offline", totalspace: 0, availspace: 0 }), drive()]),
    ]),
  );
  expect(nodes).toEqual([
    { slot: 1, drives: { total: 2, online: 2, healing: 1 } },
    { slot: 12, drives: { total: 2, online: 1, healing: 0 } },
  ]);
  expect(capacity).toEqual({ total: 3_000, free: 2_610 });
});

test("a drive of its own to which nothing can be written is not online", () => {
  const drives = () => [drive({ path: "/minio/disk1" }), drive({ path: "/minio/disk2" })];
  const { nodes } = seenIn(
    info([server("minio1.x:9000", drives()), server("minio2.x:9000", drives())]),
    (slot, path) => slot === 2 && path === "/minio/disk1",
  );
  expect(nodes.map(({ drives }) => drives.online)).toEqual([2, 1]);
});

test("a small write makes no news", () => {
  const free = (availspace: number) =>
    seenIn(info([server("minio1.x:9000", [drive({ availspace })])])).capacity.free;
  expect(free(875)).toBe(free(879));
  expect(free(875)).not.toBe(free(881));
});
