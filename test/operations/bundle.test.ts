import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeys } from "../../src/bundle/keys.ts";
import { targetSystem } from "../../src/bundle/systems.ts";
import { ByteSource } from "../../src/bundle/bytes.ts";
import { readBundle } from "../../src/bundle/read.ts";
import { createBundle, type CreateOptions } from "../../src/operations/bundle/create.ts";
import { requireFittingFor, type Here } from "../../src/operations/bundle/fit.ts";
import { packageManager } from "../../src/host/packages/index.ts";
import { wantedPackages } from "../../src/operations/bundle/wanted.ts";
import { about, manifestOf } from "../bundle/forge.ts";
import { failure } from "../plan/failure.ts";

const work = mkdtempSync(join(tmpdir(), "chime-node-wanted-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const debian12 = targetSystem("debian12");
const mariadb = "roles.mysql.engine=mariadb";

describe("wantedPackages", () => {
  const both = (role: string[], set: string[] = [], config?: string) =>
    wantedPackages({ role, set, config }, debian12);
  const wanted = async (...of: Parameters<typeof both>) => (await both(...of)).names;

  test("of the roles, their VIP's program included", async () => {
    expect(await wanted(["mysql"], [mariadb])).toEqual(["mariadb-server", "mariadb-backup", "keepalived"]);
    expect(await wanted(["mysql", "witness"], [mariadb, "roles.mysql.vip=10.0.0.1"])).toContain("keepalived");
    expect(await wanted(["witness"])).toEqual([]);
  });

  test("of a vendor: with its repository, unless the operator has one of his own", async () => {
    const { names, repositories } = await both(["mysql"]);
    expect(names).toEqual(["percona-server-server", "keepalived"]);
    expect(repositories).toMatchObject([{ name: "percona", suite: "bookworm" }]);
    // What the nodes will be told does not matter to the machine that makes it.
    expect((await both(["mysql"], ["cluster.packages=bundle"])).repositories).toHaveLength(1);
    expect((await both(["mysql"], ["cluster.packages=os"])).repositories).toEqual([]);
    expect((await both(["mysql"], [mariadb])).repositories).toEqual([]);
  });

  test("by a cluster.toml", async () => {
    const config = join(work, "cluster.toml");
    await Bun.write(config, '[roles.mysql]\nvip = "10.0.0.1"\nengine = "mariadb"\n');
    expect(await wanted(["mysql"], [], config)).toContain("mariadb-server");
    expect(await failure(wanted(["mysql"], [mariadb], config))).toMatchObject({
      code: "bundle.two_configs",
      exit: 2,
    });
    await Bun.write(config, '[cluster]\nname = "a"\n');
    expect(await failure(wanted(["mysql"], [], config))).toMatchObject({
      code: "bundle.unconfigured_role",
      exit: 2,
    });
  });

  test.each([
    [["mysqll"], [], "usage.unknown_role", 2],
    [["mysql"], ["roles.mysql.engin=mariadb"], "usage.unknown_key", 2],
  ])("%p %p: %s", async (role, set, code, exit) => {
    expect(await failure(wanted(role, set))).toMatchObject({ code, exit });
  });
});

describe("requireFittingFor", () => {
  const apt = packageManager("debian");
  const isOlder: Here["isOlder"] = (version, than) => apt.isOlder(version, than);
  const here: Here = { system: "debian12", arch: "x64", version: "0.1.0", packages: new Map(), isOlder };
  const { files } = manifestOf();
  const server = {
    ...about("repo/pool/mariadb-server_10.11.14-0+deb12u2_amd64.deb", ""),
    version: "1:10.11.14-0+deb12u2",
  };
  const manifest = manifestOf({ files: [...files, server], packages: ["mariadb-server"] });
  const installed = (version: string) => ({ ...here, packages: new Map([["mariadb-server", version]]) });

  test.each<[string, Here]>([
    ["as old as what is installed", here],
    ["newer", { ...here, version: "0.0.9" }],
    ["the same packages", installed("1:10.11.14-0+deb12u2")],
    ["newer packages", installed("1:10.11.9-0+deb12u1")],
    ["packages that it does not have", { ...here, packages: new Map([["other", "9"]]) }],
  ])("taken: %s", async (_, machine) => {
    await requireFittingFor(machine, manifest);
  });

  test.each<[string, string, Here]>([
    ["another release", "bundle.other_system", { ...here, system: "debian13" }],
    ["another system", "bundle.other_system", { ...here, system: "ubuntu24.04" }],
    ["another CPU", "bundle.other_arch", { ...here, arch: "arm64" }],
    ["an older program", "bundle.older", { ...here, version: "0.1.1" }],
    ["older packages, as dpkg counts", "bundle.older", installed("1:10.11.15-0+deb12u1")],
  ])("refused: %s (%s)", async (_, code, machine) => {
    expect(await failure(requireFittingFor(machine, manifest))).toMatchObject({ code, exit: 3 });
  });
});

test("a system that there are no bundles for is told the nearest one", () => {
  expect(() => targetSystem("debian11")).toThrow(
    "bundles are made for debian12, debian13, ubuntu22.04, ubuntu24.04, el8, el9, el10, not for debian11",
  );
});

describe("--add-binary", () => {
  const quiet = () => undefined;
  const warnings: string[] = [];
  const io = {
    signal: new AbortController().signal,
    progress: quiet,
    note: quiet,
    warn: (text: string) => void warnings.push(text),
    confirm: () => Promise.resolve(false),
  };
  beforeEach(() => warnings.splice(0));
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const other = arch === "x64" ? "arm64" : "x64";
  /** A bundle without packages, around a small program in place of chime-node. */
  async function make(addBinary: readonly string[], changes: Partial<CreateOptions> = {}) {
    const prefix = join(mkdtempSync(join(work, "added-")), "key");
    const { key, line } = await generateKeys(prefix);
    const own = `${prefix}.gz`;
    await Bun.write(own, Bun.gzipSync(await Bun.file("/bin/true").bytes()));
    const output = `${prefix}.tar`;
    await createBundle(
      {
        os: "debian12",
        arch,
        role: ["witness"],
        config: undefined,
        set: [],
        addBinary: [`chime-node=${own}`, ...addBinary],
        source: [],
        installed: undefined,
        key,
        output,
        binary: process.execPath,
        ...changes,
      },
      io,
    );
    return { output, trust: { keys: [line], revoked: [] } };
  }

  test("a program of the operator's is in it, in the manifest and in the bill of materials", async () => {
    const { output, trust } = await make(["minio=/bin/bash"]);
    const kept = new Map<string, Buffer>();
    let name = "";
    const sink = {
      begin: (next: string) => Promise.resolve(void kept.set((name = next), Buffer.alloc(0))),
      write: (chunk: Uint8Array) =>
        Promise.resolve(void kept.set(name, Buffer.concat([kept.get(name) ?? Buffer.alloc(0), chunk]))),
      close: () => Promise.resolve(),
    };
    const { manifest } = await ByteSource.over(output, (source) =>
      readBundle(source, trust, undefined, () => sink),
    );
    const bash = Buffer.from(await Bun.file("/bin/bash").bytes());
    const sha256 = new Bun.CryptoHasher("sha256").update(bash).digest("hex");
    const version = expect.stringMatching(/^\d+\.\d+/);
    expect(manifest.files.find((file) => file.name === "programs/minio")).toMatchObject({
      version,
      origin: "given to bundle create",
      sha256,
      size: bash.length,
    });
    expect(kept.get("programs/minio")?.equals(bash)).toBe(true);
    const bill = JSON.parse(kept.get("sbom.cdx.json")?.toString() ?? "") as { components: unknown[] };
    expect(bill.components).toMatchObject([
      { type: "application", name: "minio", version, hashes: [{ alg: "SHA-256", content: sha256 }] },
    ]);
  });

  test("without one there is no bill of materials where there are no packages either", async () => {
    const { output, trust } = await make([]);
    const { manifest } = await ByteSource.over(output, (source) => readBundle(source, trust));
    expect(manifest.files.map(({ name }) => name)).toEqual([
      "install.sh",
      `chime-node-linux-${arch}.gz`,
      "LICENSES.txt",
    ]);
  });

  test.each([
    ["a name that no role knows", ["mongo=/bin/bash"], "usage.bad_value"],
    ["no file", ["minio="], "usage.bad_value"],
    ["a name twice", ["minio=/bin/bash", "minio=/bin/true"], "usage.bad_value"],
    ["no program", ["minio=/etc/os-release"], "bundle.bad_program"],
  ])("%s is refused", async (_, added, code) => {
    expect(await failure(make(added))).toMatchObject({ code, exit: 2 });
  });

  const store = ["roles.minio.engine=minio", "roles.minio.nodes=2", "roles.minio.disks_per_node=1"];

  test.each([
    ["none is named", []],
    ["the bundle's own is named", ["roles.minio.binary=/var/lib/chime-node/bundles/programs/minio"]],
  ])("a role whose server no repository has needs it: %s", async (_, more) => {
    const made = make([], { role: ["minio"], set: [...store, ...more] });
    expect(await failure(made)).toMatchObject({
      code: "bundle.no_server",
      exit: 2,
      remedy: expect.stringContaining("--add-binary minio=FILE"),
    });
  });

  test("InfluxDB's is called as its program", async () => {
    const set = ["roles.influxdb.binary=/var/lib/chime-node/bundles/programs/influxd"];
    expect(await failure(make([], { role: ["influxdb"], set }))).toMatchObject({
      code: "bundle.no_server",
      remedy:
        "--add-binary influxd=FILE puts it in; where each node gets its own in another way: --set roles.influxdb.binary=PATH",
    });
  });

  test("one that each node has in another way is told of", async () => {
    // Nothing is fetched: nobody knows where packages for it come from.
    const set = [...store, "roles.minio.binary=/root/minio"];
    const made = (added: string[]) => make(added, { os: "el9", role: ["minio"], set });
    expect(await failure(made([]))).toMatchObject({ code: "bundle.no_source" });
    expect(warnings).toEqual([
      "the bundle holds no server for minio: each node needs /root/minio before it joins; --add-binary minio=FILE puts it in",
    ]);
    expect(await failure(made(["minio=/bin/bash"]))).toMatchObject({ code: "bundle.no_source" });
    expect(warnings).toHaveLength(1);
  });

  test("a program for another CPU is refused", async () => {
    expect(await failure(make(["minio=/bin/bash"], { arch: other }))).toMatchObject({
      code: "bundle.bad_program",
    });
  });
});

test("where a system stands for several, nobody guesses where its packages come from", async () => {
  const { key } = await generateKeys(join(work, "key"));
  const output = join(work, "out.tar");
  const options: CreateOptions = {
    os: "el9",
    arch: process.arch === "arm64" ? "arm64" : "x64",
    role: ["mysql"],
    config: undefined,
    set: [],
    addBinary: [],
    source: [],
    installed: undefined,
    key,
    output,
    binary: process.execPath,
  };
  const { signal } = new AbortController();
  const quiet = () => undefined;
  const io = { signal, progress: quiet, note: quiet, warn: quiet, confirm: () => Promise.resolve(false) };
  expect(await failure(createBundle(options, io))).toMatchObject({
    code: "bundle.no_source",
    exit: 2,
    remedy: expect.stringContaining("--source FILE.repo"),
  });
  expect(readdirSync(work).filter((name) => name.includes("out.tar"))).toEqual([]);
});
