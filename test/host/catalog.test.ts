import { describe, expect, test } from "bun:test";
import { catalog, isKnownOn, product, productPath, supportedSystems } from "../../src/host/catalog.ts";
import { packageManager } from "../../src/host/packages/index.ts";
import { parseOsRelease } from "../../src/host/os.ts";
import { vendorRepository } from "../../src/roles/mysql/repository.ts";

const names: Record<string, string> = { "12": "bookworm", "13": "trixie" };
const debian = (version: string) =>
  parseOsRelease(
    `ID=debian\nVERSION_ID="${version}"\nVERSION_CODENAME=${names[version]}\nPRETTY_NAME="Debian ${version}"\n`,
  );
const sid = parseOsRelease('PRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\nID=debian\n');

test.each(["12", "13"])("what every pair needs has its row for Debian %s", (version) => {
  const os = debian(version);
  for (const name of ["mariadb", "keepalived"]) expect(product(name, os).repository).toBe("os");
  expect(productPath(product("mariadb", os), "data")).toBe("/var/lib/mysql");
  expect(() => productPath(product("keepalived", os), "data")).toThrow("data");
});

test("the rows of one product agree on which paths it has", () => {
  for (const systems of Object.values(catalog)) {
    const paths = Object.values(systems).map((row) => Object.keys(row.paths).sort());
    expect(new Set(paths.map((keys) => keys.join())).size).toBe(1);
  }
});

test("another system is refused with those that are known", () => {
  const other = parseOsRelease('ID=arch\nPRETTY_NAME="Arch Linux"\n');
  expect(() => product("mariadb", other)).toThrow("mariadb is not known to run on Arch Linux");
  expect(isKnownOn("mariadb", other)).toBe(false);
});

test("Debian sid has its rows, for the lab: it is not among the supported systems", () => {
  expect(product("mysql", sid).packages).toEqual(["mysql-server"]);
  expect(isKnownOn("keepalived", sid)).toBe(true);
  expect(supportedSystems().sort()).toEqual(["debian-12", "debian-13"]);
  expect(() => product("percona", sid)).toThrow(expect.objectContaining({ remedy: "use one of: debian-12" }));
});

/** domain.md §5, and repo.mysql.com's own instructions. */
describe("MySQL of its vendors, 8.4", () => {
  test.each([
    [
      "percona",
      "percona-server-server",
      "4D1BB29D63D98E422B2113B19334A25F8507EFA5",
      "https://repo.percona.com/ps-84-lts/apt bookworm main",
    ],
    [
      "mysql",
      "mysql-community-server",
      "BCA43417C3B485DD128EC6D4B7B3B788A8D3785C",
      "https://repo.mysql.com/apt/debian bookworm mysql-8.4-lts",
    ],
  ])("%s on Debian 12: %s", (name, packageName, fingerprint, place) => {
    const os = debian("12");
    const row = product(name, os);
    expect(row.packages).toEqual([packageName]);
    const source = vendorRepository(row, os, "auto");
    if (!source) throw new Error("no repository");
    expect(`${source.uri} ${source.suite} ${source.component}`).toBe(place);
    expect(source.key.fingerprint).toBe(fingerprint);
    const [host] = /^https:\/\/[^/]+/.exec(source.uri) ?? [];
    expect(source.key.url).toStartWith(`${host}/`);
    expect(packageManager("debian").repository(source)).toMatchObject({
      key: `/etc/apt/keyrings/chime-node-${name}.asc`,
      path: `/etc/apt/sources.list.d/chime-node-${name}.sources`,
      content: expect.stringContaining(`Signed-By: /etc/apt/keyrings/chime-node-${name}.asc\n`),
    });
    // Nobody is asked for root's password, and none is set: it is the socket that tells who root is.
    expect(row.answers).toContain(`${packageName} ${packageName}/root-pass password `);
    // Debian's and Percona's unit; Oracle's is called mysqld on EL alone.
    expect(row.unit).toBe("mysql.service");
    // Behind mysqld.cnf, which sorts after 90-.
    expect(productPath(row, "config") > "/etc/mysql/mysql.conf.d/mysqld.cnf").toBe(true);
  });
});

test.each([
  ["percona", "auto", true],
  ["percona", "vendor", true],
  ["percona", "os", false],
  ["percona", "bundle", false],
  ["mariadb", "auto", false],
  ["mariadb", "os", false],
] as const)("%s with cluster.packages = %s: a repository is added: %p", (name, packages, added) => {
  const os = debian("12");
  expect(vendorRepository(product(name, os), os, packages) !== undefined).toBe(added);
});
