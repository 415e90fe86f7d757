import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { heldIn, isLater, SecretStore } from "../../src/cluster/secret-store.ts";
import { loadSecrets, saveSecrets } from "../../src/cluster/secrets.ts";

let directory: string;
let path: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "secrets-"));
  path = join(directory, "secrets.toml");
});
afterAll(() => rm(directory, { recursive: true }));

test("a change goes step by step, each in the file before it counts", async () => {
  await saveSecrets(path, { minio: { root_password: "before00", secret_key: "stays000" } });
  const store = await SecretStore.load(path);
  expect(store.state("minio", "root_password")).toEqual({ current: "0", next: null, used: "0" });
  const id = await store.begin("minio", "root_password");
  expect(id).toMatch(/^1\.[A-Za-z0-9]{8}$/);
  expect(store.all["minio"]?.["root_password"]).toBe("before00");
  const again = await SecretStore.load(path);
  expect(again.state("minio", "root_password")).toEqual({ current: "0", next: id, used: "0" });
  const value = again.value("minio", "root_password", id);
  expect(value).toMatch(/^[A-Za-z0-9]{32}$/);
  await again.take("minio", "root_password");
  expect(again.state("minio", "root_password")).toEqual({ current: id, next: null, used: "0" });
  expect((await loadSecrets(path))["minio"]).toMatchObject({ root_password: value, secret_key: "stays000" });
  await again.use("minio", "root_password");
  const last = await SecretStore.load(path);
  expect(last.state("minio", "root_password")).toEqual({ current: id, next: null, used: id });
  expect(await last.begin("minio", "root_password")).toStartWith("2.");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("taken without a next one, nothing changes; what is not there has no state and no value", async () => {
  await saveSecrets(path, { minio: { root_password: "before00" } });
  const store = await SecretStore.load(path);
  await store.take("minio", "root_password");
  expect(store.all).toEqual({ minio: { root_password: "before00" } });
  expect(store.state("mysql", "root_password")).toBeUndefined();
  expect(store.value("minio", "root_password", "1.aaaaaaaa")).toBeUndefined();
});

test("of two ids the later one, and of two that were begun at once always the same", () => {
  expect(isLater("1.aaaaaaaa", "0")).toBe(true);
  expect(isLater("10.aaaaaaaa", "9.zzzzzzzz")).toBe(true);
  expect(isLater("1.bbbbbbbb", "1.aaaaaaaa")).toBe(true);
  expect(isLater("1.aaaaaaaa", "1.bbbbbbbb")).toBe(false);
  expect(isLater("1.aaaaaaaa", "1.aaaaaaaa")).toBe(false);
});

test("one that is replaced stays beside the new one until it is retired", async () => {
  await saveSecrets(path, { minio: { secret_key: "before00" } });
  const store = await SecretStore.load(path);
  const of = () => store.state("minio", "secret_key");
  const id = await store.begin("minio", "secret_key");
  await store.prove("minio", "secret_key");
  expect(of()).toEqual({ current: "0", next: id, used: id });
  const { next } = heldIn(store.all["minio"], "secret_key");
  await store.replace("minio", "secret_key");
  expect(of()).toEqual({ current: id, next: null, used: id, beside: { old: "0", retired: null } });
  const again = await SecretStore.load(path);
  expect(heldIn(again.all["minio"], "secret_key")).toEqual({
    current: next as never,
    next: undefined,
    old: { id: "0", value: "before00" },
  });
  await again.retire("minio", "secret_key");
  expect(again.state("minio", "secret_key")).toEqual({
    current: id,
    next: null,
    used: id,
    beside: { old: null, retired: "0" },
  });
  expect(JSON.stringify(await loadSecrets(path))).not.toContain("before00");
  // Nothing to do is nothing done.
  const before = again.all;
  await again.retire("minio", "secret_key");
  await again.prove("minio", "secret_key");
  await again.replace("minio", "secret_key");
  expect(again.all).toEqual(before);
});

test("of two that are changed at once neither is lost", async () => {
  await saveSecrets(path, { minio: { root_password: "before00", secret_key: "before01" } });
  const store = await SecretStore.load(path);
  const ids = await Promise.all([store.begin("minio", "root_password"), store.begin("minio", "secret_key")]);
  expect(ids).toEqual([
    store.state("minio", "root_password")?.next as string,
    store.state("minio", "secret_key")?.next as string,
  ]);
  await Promise.all([store.take("minio", "root_password"), store.prove("minio", "secret_key")]);
  const again = await SecretStore.load(path);
  expect(again.state("minio", "root_password")).toEqual({ current: ids[0], next: null, used: "0" });
  expect(again.state("minio", "secret_key")).toEqual({ current: "0", next: ids[1], used: ids[1] });
});
