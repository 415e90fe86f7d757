import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importBundle, storedBundles } from "../../src/bundle/store.ts";
import { failure } from "../plan/failure.ts";
import { about, contents, entry, forge, manifestOf, trust } from "./forge.ts";

let work: string;
let store: string;
beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), "chime-node-store-"));
  store = join(work, "state", "bundles");
});
afterEach(() => rm(work, { recursive: true, force: true }));

async function take(bytes: Uint8Array, accept: () => Promise<void> = () => Promise.resolve()) {
  const file = join(work, "bundle.tar");
  await Bun.write(file, bytes);
  return importBundle(file, store, trust, accept);
}

test("what a node uses later is there as it was packed, for root alone, and again is nothing new", async () => {
  const { id, isNew } = await take(forge());
  expect(isNew).toBe(true);
  expect(await readdir(store)).toEqual([id]);
  expect((await stat(store)).mode & 0o777).toBe(0o700);
  for (const [name, content] of Object.entries(contents).filter(([name]) => name.startsWith("repo/"))) {
    expect(await readFile(join(store, id, name), "utf8")).toBe(content);
  }
  expect((await readdir(join(store, id))).sort()).toEqual(["manifest.json", "manifest.json.sig", "repo"]);
  expect(await storedBundles(store)).toEqual([{ id, directory: join(store, id), manifest: manifestOf() }]);
  expect(await take(forge())).toMatchObject({ id, isNew: false });
  expect(await readdir(store)).toEqual([id]);
});

test("whatever is wrong, nothing of it stays", async () => {
  const whole = forge();
  const changed = Buffer.from(whole);
  changed[changed.length - 1500] = 0xff;
  const huge = manifestOf({ files: [{ ...about("repo/pool/huge.deb", ""), size: 2 ** 50 }] });
  const wrong: [Uint8Array, string][] = [
    [changed, "bundle.changed"],
    [whole.subarray(0, whole.length - 600), "bundle.truncated"],
    [forge(huge), "bundle.no_space"],
  ];
  for (const [bytes, code] of wrong) {
    expect(await failure(take(bytes))).toMatchObject({ code, exit: 3 });
    expect(await readdir(work)).toEqual(["bundle.tar"]);
  }
  const no = new Error("not for this machine");
  expect(await failure(take(whole, () => Promise.reject(no)))).toBe(no);
  expect(await readdir(work)).toEqual(["bundle.tar"]);
});

test("one that is refused leaves those that are there, and so does what a killed import left", async () => {
  const { id } = await take(forge());
  await Bun.write(join(store, ".coming", "repo", "half"), "half");
  expect(await failure(take(forge().subarray(0, 4000)))).toMatchObject({ code: "bundle.truncated" });
  expect(await readdir(store)).toEqual([id]);
  expect(await storedBundles(store)).toHaveLength(1);
});

test("a program of the operator's has one place, that of the last bundle with it, and stays when its bundle goes", async () => {
  const withProgram = (content: string) => {
    const program = about("programs/minio", content);
    return forge(manifestOf({ files: [program] }), [entry(program.name, content)]);
  };
  const place = join(store, "programs", "minio");
  const first = await take(withProgram("one"));
  expect(await readFile(place, "utf8")).toBe("one");
  expect((await stat(place)).mode & 0o777).toBe(0o755);
  const second = await take(withProgram("two"));
  expect(await readFile(place, "utf8")).toBe("two");
  expect((await readdir(store)).sort()).toEqual([second.id, "programs"].sort());
  const third = await take(forge());
  expect((await readdir(store)).sort()).toEqual([third.id, "programs"].sort());
  expect(await readFile(place, "utf8")).toBe("two");
  expect((await storedBundles(store)).map(({ id }) => id)).toEqual([third.id]);
  expect(first.id).not.toBe(second.id);
});

test("a newer one for the same roles takes the older one's place; one for others stands beside it", async () => {
  const first = await take(forge());
  const other = await take(forge(manifestOf({ roles: ["minio"] })));
  expect((await readdir(store)).sort()).toEqual([first.id, other.id].sort());
  const both = await take(forge(manifestOf({ roles: ["minio", "mysql"] })));
  expect(await readdir(store)).toEqual([both.id]);
});
