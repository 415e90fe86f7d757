import { expect, test } from "bun:test";
import { product } from "../../../src/host/catalog.ts";
import { parseOsRelease } from "../../../src/host/os.ts";
import { repositoryCheck } from "../../../src/roles/repository.ts";
import { parseSpec } from "../../../src/spec/load.ts";

const os = parseOsRelease('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n');

function check(engine: "mariadb" | "percona", packages: string) {
  const toml = `[cluster]\npackages = "${packages}"\n[roles.mysql]\nengine = "${engine}"\nvip = "10.0.0.9"\n`;
  return repositoryCheck("mysql", product(engine, os), os, parseSpec(toml, "cluster.toml")).run();
}

test("MariaDB is Debian's own", async () => {
  expect(await check("mariadb", "auto")).toBeUndefined();
  expect(await check("mariadb", "os")).toBeUndefined();
  expect(await check("mariadb", "vendor")).toEqual({
    severity: "error",
    message: "mariadb-server comes from Debian 12 itself, and no vendor's repository of it is known",
    remedy: 'set cluster.packages = "auto" or "os"',
  });
});

test("Percona with the system's own repositories alone: none offers it, and what would help is said", async () => {
  expect(await check("percona", "os")).toMatchObject({
    severity: "error",
    message: "no package repository of this node offers percona-server-server",
    remedy: expect.stringContaining(
      'set cluster.packages = "auto", and https://repo.percona.com/ps-84-lts/apt',
    ),
  });
});

test("before the spec is known nothing is asked of the network", async () => {
  expect(await repositoryCheck("mysql", product("percona", os), os, undefined).run()).toBeUndefined();
});
