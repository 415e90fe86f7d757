/**
 * What minio-client.test.ts runs in namespaces of its own: why `expire.ts` ends older states, and not the engine. Where this
 * fails, the engine may have learnt to ask all drives.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expireOlderStates } from "../../src/roles/minio/expire.ts";
import { createBucket, getObject, listVersions } from "../../src/roles/minio/s3.ts";
import { askWell } from "../../src/roles/minio/store.ts";
import { contentMd5, keepForADay } from "../../src/roles/minio/versions.ts";
import { startMinio, type MinioServer } from "./minio-server.ts";
import { addresses } from "./namespaces.ts";
import { waitUntil } from "./wait.ts";

const { MINIO: binary = "", DIRECTORY: directory = "" } = process.env;
const credentials = { accessKey: "root-of-the-store", secretKey: "R00tSecretOfTheStore" };
const limits = { timeoutMs: 10_000 };
const dayMs = 86_400_000;
const drives = [1, 2, 3, 4, 5, 6, 7, 8, 9];

let server: MinioServer;
beforeAll(async () => {
  const env = { MINIO_SCANNER_SPEED: "fastest", MINIO_SCANNER_CYCLE: "1s" };
  server = await startMinio(binary, { directory, address: addresses[0], drives: 9, credentials, env });
  await server.ready();
}, 60_000);
afterAll(() => server?.process.signal("SIGKILL"));

/** As of so many days ago. */
async function put(bucket: string, key: string, body: string, days: number): Promise<void> {
  const headers = {
    "x-minio-source-replication-request": "true",
    "x-minio-source-mtime": new Date(Date.now() - days * dayMs).toISOString(),
  };
  await askWell(server.store, { method: "PUT", path: `/${bucket}/${key}`, headers, body }, limits);
}

/** A bucket with an object that was written over well, and one whose overwrite is on three drives of nine alone. */
async function prepare(bucket: string): Promise<void> {
  await createBucket(server.store, bucket, limits);
  await keepForADay(server.store, bucket, limits);
  const file = (drive: number) => join(directory, `disk${drive}`, bucket, "torn", "xl.meta");
  for (const key of ["whole", "torn"]) await put(bucket, key, "old", 5);
  const old = await Promise.all(drives.map((drive) => readFile(file(drive))));
  for (const key of ["whole", "torn"]) await put(bucket, key, "new", 3);
  for (const drive of drives.slice(3)) await writeFile(file(drive), old[drive - 1] ?? "");
}

const read = async (bucket: string, key: string) =>
  Buffer.from(await getObject(server.store, bucket, key, limits)).toString();
const statesOf = async (bucket: string, prefix: string) =>
  (await Array.fromAsync(listVersions(server.store, bucket, { ...limits, prefix }))).length;

test("ours ends the older state of an object that was written over, and leaves the one that can be read", async () => {
  await prepare("ours");
  const options = { ageMs: dayMs, now: Date.now(), goesOn: () => true };
  expect(await expireOlderStates(server.store, "ours", options, limits)).toBe(1);
  expect([await statesOf("ours", "whole"), await read("ours", "whole")]).toEqual([1, "new"]);
  expect(await read("ours", "torn")).toBe("old");
});

test("the engine's deletes that one on all drives", async () => {
  await prepare("engine");
  const rule =
    "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>";
  const asked = {
    method: "PUT",
    path: "/engine",
    query: { lifecycle: "" },
    headers: contentMd5(rule),
  } as const;
  await askWell(server.store, { ...asked, body: rule }, limits);
  // Which of the drives it goes by is its own affair.
  const isLost = () =>
    read("engine", "torn").then(
      () => false,
      ({ code }) => code === "minio.no_object",
    );
  await waitUntil("the engine's expiry", 60_000, isLost);
}, 90_000);
