import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeys } from "../../src/bundle/keys.ts";
import { targetSystem } from "../../src/bundle/systems.ts";
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
