/** What minio-client.test.ts runs in namespaces of its own. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ensureAccount } from "../../src/roles/minio/account.ts";
import { differing } from "../../src/roles/minio/mirror/compare.ts";
import { ensureMirror, isMirrored, mirrorState } from "../../src/roles/minio/mirror/replication.ts";
import { probe } from "../../src/roles/minio/probe.ts";
import {
  createBucket,
  deleteObject,
  getObject,
  headObject,
  listVersions,
  putInParts,
  putObject,
} from "../../src/roles/minio/s3.ts";
import { encodePath } from "../../src/roles/minio/signature.ts";
import { askWell, textOf, type Store } from "../../src/roles/minio/store.ts";
import { xmlText } from "../../src/roles/minio/store-error.ts";
import { startMinio, type MinioServer } from "./minio-server.ts";
import { addresses } from "./namespaces.ts";
import { waitUntil } from "./wait.ts";

const { MINIO: binary = "", DIRECTORY: directory = "" } = process.env;
const credentials = { accessKey: "root-of-the-store", secretKey: "R00tSecretOfTheStore" };
const limits = { timeoutMs: 20_000 };
const own = { ...limits, own: true };
const bucket = "chime";
const body = randomBytes(1_000);

let [first, second]: MinioServer[] = [];

/** On disks by that name, new ones where there are none. */
async function boot(address: string, disks: string): Promise<MinioServer> {
  const server = await startMinio(binary, {
    directory: join(directory, disks),
    address,
    drives: 3,
    credentials,
  });
  await server.ready();
  return server;
}

function sites() {
  return [
    { name: "node1", store: storeOf(first) },
    { name: "node2", store: storeOf(second) },
  ];
}

function storeOf(server: MinioServer | undefined): Store {
  if (!server) throw new Error("it did not start");
  return server.store;
}

const stores = () => sites().map(({ store }) => store) as [Store, Store];

/** Both hold the same versions, deletions included, each by itself. */
async function areEqual(): Promise<boolean> {
  const [one, other] = await Promise.all(
    stores().map(async (store) => {
      const versions = await Array.fromAsync(listVersions(store, bucket, limits));
      return versions.map(({ key, id, isDeletion }) => `${key} ${id} ${isDeletion}`).join("\n");
    }),
  );
  return one === other;
}

async function kill(server: MinioServer | undefined): Promise<void> {
  server?.process.signal("SIGKILL");
  await server?.process.exited;
}

beforeAll(async () => {
  [first, second] = await Promise.all([boot(addresses[0], "first"), boot(addresses[1], "second")]);
}, 60_000);
afterAll(() => Promise.all([kill(first), kill(second)]));

test("what one of them holds beforehand comes to the other; set up once", async () => {
  const [one, other] = stores();
  await createBucket(other, bucket, limits);
  for (let i = 0; i < 20; i++) await putObject(other, bucket, `before ${i}`, body, limits);
  expect(await isMirrored(sites(), limits)).toBe(false);
  expect(await ensureMirror(sites(), limits)).toBe(true);
  expect(await ensureMirror(sites(), limits)).toBe(false);
  await waitUntil("what was there before", 60_000, areEqual);
  expect(await getObject(one, bucket, "before 7", own)).toEqual(body);
}, 90_000);

test("both ways, parts and deletions too; each answers for the other what it does not hold yet", async () => {
  const [one, other] = stores();
  await putObject(one, bucket, "from one", body, limits);
  await putInParts(other, bucket, "from other", [randomBytes(5 << 20), body], limits);
  expect(await headObject(one, bucket, "from other", limits)).toMatchObject({ bytes: (5 << 20) + 1_000 });
  await deleteObject(other, bucket, "before 1", limits);
  await waitUntil("both ways", 60_000, areEqual);
  expect(await headObject(one, bucket, "before 1", own)).toBeUndefined();
}, 90_000);

test("an upload in parts that was begun on one goes on at the other", async () => {
  const [one, other] = stores();
  const path = encodePath(bucket, "in parts");
  const begun = await askWell(other, { method: "POST", path, query: { uploads: "" } }, limits);
  const uploadId = xmlText(textOf(begun), "UploadId") ?? "";
  await askWell(one, { method: "PUT", path, query: { uploadId, partNumber: "1" }, body }, limits);
  const parts = async (store: Store) =>
    xmlText(textOf(await askWell(store, { method: "GET", path, query: { uploadId } }, limits)), "Size");
  expect(await Promise.all([one, other].map(parts))).toEqual(["1000", "1000"]);
}, 60_000);

test("an account of root's is on the store where it was made, and nowhere else", async () => {
  const [one, other] = stores();
  const account = { accessKey: "application", secretKey: "AppSecretOfTheStore1" };
  await ensureAccount(one, account, bucket, limits);
  await putObject(one, bucket, "after the account", body, limits);
  await waitUntil("a later object", 60_000, areEqual);
  const application = { ...other, credentials: account };
  await expect(probe(application, bucket, "node2", limits)).rejects.toMatchObject({ code: "minio.denied" });
  await ensureAccount(other, account, bucket, limits);
  await probe(application, bucket, "node2", limits);
}, 90_000);

test("one dies under writes and deletions: the other goes on, and both are equal soon after the return", async () => {
  const [one, other] = stores();
  await waitUntil("the probe's traces", 60_000, areEqual);
  await kill(second);
  for (let i = 0; i < 200; i++) await putObject(one, bucket, `alone ${i}`, body, limits);
  for (let i = 2; i < 6; i++) await deleteObject(one, bucket, `before ${i}`, limits);
  await waitUntil("the loss to be told", 60_000, async () => !(await mirrorState(one, limits)).reached);
  second = await boot(addresses[1], "second");
  const start = performance.now();
  await waitUntil("both to be equal", 90_000, async () => (await differing(one, other, limits)) === 0, 500);
  console.error(`equal ${Math.round(performance.now() - start)} ms after the return`);
  await waitUntil("the return to be told", 60_000, async () => (await mirrorState(one, limits)).reached);
}, 240_000);

test("each took what the other lacks: nothing is thrown away, and of one object the later state wins", async () => {
  const [one, other] = stores();
  const [late, later] = [randomBytes(2_000), randomBytes(3_000)];
  await kill(second);
  for (const key of ["tail 1", "tail 2", "tail 3", "both"]) await putObject(one, bucket, key, body, limits);
  await kill(first);
  second = await boot(addresses[1], "second");
  expect(await headObject(other, bucket, "tail 1", own)).toBeUndefined();
  await putObject(other, bucket, "tail 2", late, limits);
  await putObject(other, bucket, "both", late, limits);
  await putObject(other, bucket, "both", later, limits);
  // It does not know the one and knows the other: of what a store does not have it keeps no deletion.
  await deleteObject(other, bucket, "tail 1", limits);
  await deleteObject(other, bucket, "before 7", limits);
  first = await boot(addresses[0], "first");
  await waitUntil("both to be equal", 90_000, async () => (await differing(one, other, limits)) === 0, 500);
  expect(await areEqual()).toBe(true);
  for (const store of [one, other]) {
    expect(await getObject(store, bucket, "tail 1", own)).toEqual(body);
    expect(await getObject(store, bucket, "tail 2", own)).toEqual(late);
    expect(await getObject(store, bucket, "tail 3", own)).toEqual(body);
    expect(await getObject(store, bucket, "both", own)).toEqual(later);
    expect(await headObject(store, bucket, "before 7", own)).toBeUndefined();
  }
}, 240_000);

test("one is replaced by an empty one under its name: it is taken in and filled", async () => {
  await kill(second);
  second = await boot(addresses[1], "third");
  const [one, other] = stores();
  expect(await isMirrored(sites(), limits)).toBe(false);
  // One that has just seen the other die goes on for seconds taking it for gone: agents try again, too.
  await waitUntil("it to be taken in", 60_000, () => ensureMirror(sites(), limits).catch(() => false));
  await waitUntil("the new one to hold all", 60_000, async () => {
    const there = await Array.fromAsync(listVersions(other, bucket, limits)).catch(() => []);
    const keys = new Set(there.filter(({ isDeletion }) => !isDeletion).map(({ key }) => key));
    for (let i = 0; i < 200; i++) if (!keys.has(`alone ${i}`)) return false;
    return true;
  });
  await putObject(other, bucket, "from the new one", body, limits);
  await waitUntil("its first object", 60_000, async () => {
    return (await headObject(one, bucket, "from the new one", own)) !== undefined;
  });
}, 120_000);

test("two that hold different things are left alone", async () => {
  await kill(second);
  second = await boot(addresses[1], "fourth");
  const [one, other] = stores();
  await createBucket(other, bucket, limits);
  await putObject(other, bucket, "somebody's", body, limits);
  await expect(ensureMirror(sites(), limits)).rejects.toMatchObject({ code: "minio.two_with_data", exit: 3 });
  expect(await getObject(other, bucket, "somebody's", limits)).toEqual(body);
  expect(await mirrorState(one, limits)).toEqual({ enabled: true, reached: false });
}, 60_000);
