/** What minio-client.test.ts runs in namespaces of its own. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { ObjectClients } from "../../src/operations/drill/objects.ts";
import { ensureAccount, hasAccount, removeAccount } from "../../src/roles/minio/account.ts";
import { storeInfo } from "../../src/roles/minio/info.ts";
import { probe } from "../../src/roles/minio/probe.ts";
import {
  createBucket,
  deleteObject,
  getObject,
  hasBucket,
  headObject,
  listObjects,
  listVersions,
  putInParts,
  putObject,
} from "../../src/roles/minio/s3.ts";
import { expireOlderStates } from "../../src/roles/minio/expire.ts";
import { askWell } from "../../src/roles/minio/store.ts";
import { keepForADay, readOlderStates } from "../../src/roles/minio/versions.ts";
import { startMinio, type MinioServer } from "./minio-server.ts";
import { addresses } from "./namespaces.ts";
import { waitUntil } from "./wait.ts";

const { MINIO: binary = "", DIRECTORY: directory = "" } = process.env;
const credentials = { accessKey: "root-of-the-store", secretKey: "R00tSecretOfTheStore" };
const limits = { timeoutMs: 10_000 };
const bucket = "chime";
const bytes = (text: string) => new TextEncoder().encode(text);

const wanted = { directory, address: addresses[0], drives: 4, credentials };
let server: MinioServer;
beforeAll(async () => {
  server = await startMinio(binary, wanted);
  await server.ready();
}, 60_000);
afterAll(() => server?.process.signal("SIGKILL"));

const named = () => ({ ...server.store, name: "s3.chime.com" });

test("a bucket is made once, under another name than the address, too", async () => {
  expect(await hasBucket(named(), bucket, limits)).toBe(false);
  await createBucket(named(), bucket, limits);
  await createBucket(server.store, bucket, limits);
  expect(await hasBucket(server.store, bucket, limits)).toBe(true);
});

test("objects with names of all kinds come back, are listed, and go", async () => {
  const keys = ["a b/c+d!'()*~é&<>\"%", "plain", "x=y?z#1", "日本/語"];
  for (const key of keys) await putObject(server.store, bucket, key, bytes(key), limits);
  for (const key of keys) {
    expect(await getObject(server.store, bucket, key, limits)).toEqual(Buffer.from(key));
    expect(await headObject(server.store, bucket, key, limits)).toMatchObject({ bytes: bytes(key).length });
  }
  expect(await Array.fromAsync(listObjects(server.store, bucket, "", limits))).toEqual(keys.toSorted());
  for (const key of keys) await deleteObject(server.store, bucket, key, limits);
  expect(await Array.fromAsync(listObjects(server.store, bucket, "", limits))).toEqual([]);
  expect(await headObject(server.store, bucket, "plain", limits)).toBeUndefined();
  await expect(getObject(server.store, bucket, "plain", limits)).rejects.toMatchObject({
    code: "minio.no_object",
  });
});

test("an object in parts; one whose parts are too small is no object", async () => {
  const parts = [randomBytes(5 << 20), randomBytes(1_000)];
  await putInParts(server.store, bucket, "parts", parts, limits);
  const whole = await getObject(server.store, bucket, "parts", { ...limits, maxBytes: 6 << 20 });
  expect(Buffer.concat(parts).equals(whole)).toBe(true);
  const small = [randomBytes(1_000), randomBytes(1_000)];
  await expect(putInParts(server.store, bucket, "small", small, limits)).rejects.toMatchObject({
    code: "minio.refused",
    message: expect.stringContaining("EntityTooSmall"),
  });
  expect(await headObject(server.store, bucket, "small", limits)).toBeUndefined();
});

test("a probe goes through, leaves nothing, and says what does not go through", async () => {
  expect(await probe(server.store, bucket, "node1", limits)).toBeLessThan(limits.timeoutMs);
  expect(await Array.fromAsync(listObjects(server.store, bucket, ".chime-node", limits))).toEqual([]);
  await expect(probe(server.store, "nobody", "node1", limits)).rejects.toMatchObject({
    code: "minio.no_bucket",
  });
  const stranger = { ...server.store, credentials: { ...credentials, secretKey: "another-secret" } };
  await expect(probe(stranger, bucket, "node1", limits)).rejects.toMatchObject({ code: "minio.denied" });
});

test("an account for one bucket, made once, put right where it is wrong, and gone", async () => {
  const account = { accessKey: "application", secretKey: "AppSecretOfTheStore1" };
  const other = "other";
  await createBucket(server.store, other, limits);
  expect(await hasAccount(server.store, account.accessKey, bucket, limits)).toBe(false);
  await ensureAccount(server.store, account, bucket, limits);
  expect(await hasAccount(server.store, account.accessKey, bucket, limits)).toBe(true);
  const application = { ...server.store, credentials: account };
  await probe(application, bucket, "application", limits);
  await putInParts(application, bucket, "application", [randomBytes(10)], limits);
  expect(await Array.fromAsync(listObjects(application, bucket, "application", limits))).toHaveLength(1);
  const second = { accessKey: "second", secretKey: "AppSecretOfTheStore3" };
  for (const forbidden of [
    () => putObject(application, other, "x", bytes("x"), limits),
    () => createBucket(application, "third", limits),
    () => storeInfo(application, limits),
    // It may list older states, and nobody but the administrator ends them.
    () => deleteObject(application, bucket, "application", { ...limits, version: "null" }),
    () => ensureAccount(application, second, other, limits),
  ]) {
    await expect(forbidden()).rejects.toMatchObject({ code: "minio.denied" });
  }
  const changed = { ...account, secretKey: "AppSecretOfTheStore2" };
  await ensureAccount(server.store, changed, other, limits);
  expect(await hasAccount(server.store, account.accessKey, bucket, limits)).toBe(false);
  await probe({ ...server.store, credentials: changed }, other, "application", limits);
  await expect(probe(application, other, "application", limits)).rejects.toMatchObject({
    code: "minio.denied",
  });
  await removeAccount(server.store, account.accessKey, limits);
  await removeAccount(server.store, account.accessKey, limits);
  expect(await hasAccount(server.store, account.accessKey, other, limits)).toBe(false);
});

/** Leaves the object's four drives as an overwrite does that breaks off: one has the old state, one the new one, two none. */
async function tear(name: string, key: string): Promise<void> {
  const file = (drive: number) => join(directory, `disk${drive}`, name, key, "xl.meta");
  await putObject(server.store, name, key, bytes("old"), limits);
  const old = await readFile(file(1));
  await putObject(server.store, name, key, bytes("new"), limits);
  await writeFile(file(1), old);
  for (const drive of [3, 4]) await rm(file(drive));
}

const versionsOf = async (name: string) => {
  const all = await Array.fromAsync(listVersions(server.store, name, limits));
  return all.map(({ key, isDeletion }) => (isDeletion ? `${key}: deleted` : key));
};
/** However young. */
const expire = (name: string, goesOn = () => true) =>
  expireOlderStates(server.store, name, { ageMs: 0, now: Date.now() + 1_000, goesOn }, limits);

test("an object whose overwrite broke off is lost, and in a bucket that keeps older states it is as it was before", async () => {
  const [plain, kept] = ["torn-plain", "torn-kept"];
  for (const name of [plain, kept]) await createBucket(server.store, name, limits);
  expect(await readOlderStates(server.store, kept, limits)).toBe("none");
  await keepForADay(server.store, kept, limits);
  expect(await readOlderStates(server.store, kept, limits)).toBe("day");

  for (const name of [plain, kept]) await tear(name, "a");
  await expect(getObject(server.store, plain, "a", limits)).rejects.toMatchObject({
    code: "minio.no_object",
  });
  expect(await getObject(server.store, kept, "a", limits)).toEqual(Buffer.from("old"));
  // What a single drive has makes no other state older.
  expect(await expire(kept)).toBe(0);
  expect(await getObject(server.store, kept, "a", limits)).toEqual(Buffer.from("old"));
});

test("older states and deletions go once they are old enough, and nothing else does", async () => {
  const name = "expired";
  await createBucket(server.store, name, limits);
  await putObject(server.store, name, "before", bytes("1"), limits);
  await keepForADay(server.store, name, limits);
  // "/" sorts as its byte, not as a folder that comes before all that begins alike.
  const odd = ["a&b<c>", "d-x", "d.x", "d/e f+g", "h\u0001i"];
  for (const key of ["before", "over", "over", "gone", ...odd, ...odd]) {
    await putObject(server.store, name, key, bytes(key), limits);
  }
  await deleteObject(server.store, name, "gone", limits);
  const all = (await versionsOf(name)).toSorted();
  const now = Date.now();
  const day = { ageMs: 86_400_000, now, goesOn: () => true };
  expect(await expireOlderStates(server.store, name, day, limits)).toBe(0);
  expect(await expire(name, () => false)).toBe(0);
  expect((await versionsOf(name)).toSorted()).toEqual(all);
  expect(await expire(name)).toBe(9);
  expect((await versionsOf(name)).toSorted()).toEqual(["before", "over", ...odd].toSorted());
  expect(await getObject(server.store, name, "before", limits)).toEqual(Buffer.from("before"));
});

test("what an operator has said of a bucket is seen as theirs", async () => {
  const path = "/operated";
  await createBucket(server.store, "operated", limits);
  await keepForADay(server.store, "operated", limits);
  const suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
  await askWell(server.store, { method: "PUT", path, query: { versioning: "" }, body: suspended }, limits);
  expect(await readOlderStates(server.store, "operated", limits)).toBe("own");
  const enabled = suspended.replace("Suspended", "Enabled");
  await askWell(server.store, { method: "PUT", path, query: { versioning: "" }, body: enabled }, limits);
  expect(await readOlderStates(server.store, "operated", limits)).toBe("day");
  await askWell(server.store, { method: "DELETE", path, query: { lifecycle: "" } }, limits);
  expect(await readOlderStates(server.store, "operated", limits)).toBe("own");
});

test("clients of all kinds over a kill -9: whatever was acknowledged is there, and only that", async () => {
  const common = { store: server.store, bucket, pauseMs: 2, requestMs: 5_000 };
  const clients = new ObjectClients({ ...common, prefix: "drill/", writers: 2, readers: 1 });
  await clients.clear();
  clients.start();
  const more = async (count: number) => {
    const wanted = clients.acknowledged.length + count;
    await waitUntil("acknowledged changes", 60_000, () => clients.acknowledged.length > wanted);
  };
  await more(60);
  server.process.signal("SIGKILL");
  await server.process.exited;
  server = await startMinio(binary, wanted);
  await server.ready();
  await more(60);
  await clients.stop();
  expect(new Set(clients.requests.map(({ kind }) => kind)).size).toBe(4);
  expect(clients.requests.some(({ error }) => error !== null)).toBe(true);
  expect(clients.misread).toEqual([]);
  expect(await clients.faultsOn(server.store)).toEqual([]);
  await clients.clear();
  expect(await Array.fromAsync(listObjects(server.store, bucket, "drill/", limits))).toEqual([]);
}, 120_000);

test("a drive that is gone is told, while the rest goes on", async () => {
  const [node] = (await storeInfo(server.store, limits)).servers;
  expect(node?.endpoint).toBe(`${addresses[0]}:9000`);
  expect(node?.drives.map(({ state }) => state)).toEqual(Array(4).fill("ok"));
  expect(node?.drives[0]?.totalspace).toBe(256 << 20);
  await exec(["umount", "-l", join(directory, "disk4")]);
  await waitUntil("the missing drive to be told", 30_000, async () => {
    const { servers } = await storeInfo(server.store, limits);
    return servers[0]?.drives.filter(({ state }) => state !== "ok").length === 1;
  });
  await probe(server.store, bucket, "node1", limits);
}, 60_000);
