import { describe, expect, test } from "bun:test";
import {
  catalog,
  isKnownOn,
  product,
  productPath,
  readCatalog,
  supportedSystems,
} from "../../src/host/catalog.ts";
import { packageManager } from "../../src/host/packages/index.ts";
import { parseOsRelease } from "../../src/host/os.ts";
import { releases } from "./os-releases.ts";
import { vendorRepository } from "../../src/roles/repository.ts";

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

test("a row that is like another one has all of it, and its own over that, key by key", () => {
  const base = {
    repository: { name: "r", url: "https://r/8", key: { url: "https://r/k", fingerprint: "A".repeat(40) } },
    packages: ["p"],
    unit: "p.service",
    user: "u",
    paths: { data: "/d", config: "/c" },
  };
  const rows = {
    "el-8": base,
    "el-9": { like: "el-8", repository: { url: "https://r/9" }, packages: ["q"] },
  };
  const read = readCatalog({ p: { ...rows, "el-10": { like: "el-9", paths: { data: "/e" } } } });
  const repository = { ...base.repository, url: "https://r/9" };
  expect(read["p"]?.["el-9"]).toEqual({ ...base, repository, packages: ["q"] });
  expect(read["p"]?.["el-10"]).toEqual({
    ...base,
    repository,
    packages: ["q"],
    paths: { data: "/e", config: "/c" },
  });
  for (const like of ["none", "el-8"]) {
    expect(() => readCatalog({ p: { "el-8": { like } } })).toThrow("leads nowhere");
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
  expect(supportedSystems()).not.toContain("debian-forky");
  expect(() => product("percona", sid)).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining("use one of: debian-12, ubuntu-22.04") }),
  );
});

const perconaYum = (major: number) =>
  `https://repo.percona.com/ps-84-lts/yum/release/${major}/RPMS/$basearch`;
const mysqlYum = (major: number) => `https://repo.mysql.com/yum/mysql-8.4-community/el/${major}/$basearch`;
const zz = "/etc/mysql/mysql.conf.d/zz-chime-node.cnf";
/** What is expected of a system: its keepalived, each vendor's place, unit and file, and where MariaDB's file is. */
type Expected = {
  keepalived: string;
  percona?: string;
  mysql?: string;
  unit?: string;
  config?: string;
  mariadb?: string;
};
const el = (major: number, keepalived: string): Expected => ({
  keepalived,
  percona: perconaYum(major),
  mysql: mysqlYum(major),
  unit: "mysqld.service",
  config: "/etc/mysql/my.cnf",
});
const ubuntu = (codename: string, keepalived: string): Expected => ({
  keepalived,
  percona: `https://repo.percona.com/ps-84-lts/apt ${codename} main`,
  mysql: `https://repo.mysql.com/apt/ubuntu ${codename} mysql-8.4-lts`,
  unit: "mysql.service",
  config: zz,
});
const expected: Record<string, Expected> = {
  "debian-12": {
    ...ubuntu("bookworm", "2.2.7"),
    mysql: "https://repo.mysql.com/apt/debian bookworm mysql-8.4-lts",
    mariadb: "/etc/mysql/mariadb.conf.d/90-chime-node.cnf",
  },
  "debian-13": { keepalived: "2.3.3", mariadb: "/etc/mysql/mariadb.conf.d/90-chime-node.cnf" },
  "ubuntu-22.04": ubuntu("jammy", "2.2.4"),
  "ubuntu-24.04": { ...ubuntu("noble", "2.2.8"), mariadb: "/etc/mysql/mariadb.conf.d/90-chime-node.cnf" },
  "el-8": el(8, "2.1.5"),
  "el-9": el(9, "2.2.4"),
  "el-10": { ...el(10, "2.2.8"), mariadb: "/etc/my.cnf.d/zz-chime-node.cnf" },
};

/** Every system that is told apart, by its own os-release. */
describe("what a system's products are", () => {
  test.each(
    releases.map((release) => [/PRETTY_NAME="(.*)"/.exec(release.text)?.[1] ?? "", release] as const),
  )("%s", (_, { key, text, family }) => {
    const os = parseOsRelease(text);
    const want = expected[key];
    if (!want) throw new Error(`nothing is expected of ${key}`);
    expect(supportedSystems()).toContain(key);
    expect(product("keepalived", os)).toMatchObject({ version: want.keepalived, packages: ["keepalived"] });
    // 1.8 there is too old.
    expect(isKnownOn("haproxy", os)).toBe(key !== "el-8");
    for (const name of ["percona", "mysql"] as const) {
      expect(isKnownOn(name, os)).toBe(want[name] !== undefined);
      if (want[name] === undefined) continue;
      const row = product(name, os);
      const source = vendorRepository(row, os, "auto");
      if (!source) throw new Error("no repository");
      const place = family === "el" ? source.uri : `${source.uri} ${source.suite} ${source.component}`;
      expect([place, row.unit, productPath(row, "config")]).toEqual([
        want[name],
        want.unit ?? "",
        want.config ?? "",
      ]);
      // Of the same names in the system's own repositories.
      expect(source.hides).toEqual(key === "el-10" ? ["mysql8.4*", "mariadb11.8*"] : []);
      // Only Debian's family asks for a password.
      expect(row.answers !== undefined).toBe(family === "debian");
    }
    expect(isKnownOn("mariadb", os) ? productPath(product("mariadb", os), "config") : undefined).toBe(
      want.mariadb,
    );
    const rows = ["keepalived", "haproxy", "mariadb", "mysql", "percona"].filter((name) =>
      isKnownOn(name, os),
    );
    expect(rows.every((name) => product(name, os).untried === (os.id === "debian" ? undefined : true))).toBe(
      true,
    );
  });
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

/** domain.md §5; repo.pigsty.io's own instructions (INFRA repository). */
describe("silo, the maintained MinIO", () => {
  test.each(releases.filter(({ key }) => key !== "el-8").map((release) => [release.key, release] as const))(
    "%s",
    (_, { text, family }) => {
      const os = parseOsRelease(text);
      const row = product("silo", os);
      const source = vendorRepository(row, os, "auto");
      const place = family === "el" ? source?.uri : `${source?.uri} ${source?.suite} ${source?.component}`;
      expect(place).toBe(
        family === "el"
          ? "https://repo.pigsty.io/yum/infra/$basearch"
          : "https://repo.pigsty.io/apt/infra generic main",
      );
      expect(source?.key).toEqual({
        url: "https://repo.pigsty.io/key",
        fingerprint: "9592A7BC7A682E7333376E09E7935D8DB9BD8B20",
      });
      expect([row.unit, row.untried, productPath(row, "binary")]).toEqual([
        "silo.service",
        true,
        "/usr/bin/silo",
      ]);
      // Formatting disks takes xfsprogs whichever engine there is.
      expect(row.packages).toEqual(["silo", "xfsprogs"]);
      expect(product("minio", os).packages).toEqual(["xfsprogs"]);
    },
  );
});

/** domain.md §5; InfluxData's own instructions. */
describe("InfluxDB 2", () => {
  test.each(releases.map((release) => [release.key, release] as const))("%s", (_, { text, family }) => {
    const os = parseOsRelease(text);
    const row = product("influxdb", os);
    const source = vendorRepository(row, os, "auto");
    const place = family === "el" ? source?.uri : `${source?.uri} ${source?.suite} ${source?.component}`;
    expect(place).toBe(
      family === "el"
        ? "https://repos.influxdata.com/stable/$basearch/main"
        : "https://repos.influxdata.com/debian stable main",
    );
    expect(source?.key).toEqual({
      url: "https://repos.influxdata.com/influxdata-archive.key",
      fingerprint: "24C975CBA61A024EE1B631787C3D57159FC2F927",
    });
    expect([row.packages, row.untried]).toEqual([["influxdb2", "influxdb2-cli"], true]);
  });
});
