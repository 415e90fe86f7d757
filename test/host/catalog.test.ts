import { expect, test } from "bun:test";
import { catalog, product, productPath } from "../../src/host/catalog.ts";
import { parseOsRelease } from "../../src/host/os.ts";

const debian = (version: string) =>
  parseOsRelease(`ID=debian\nVERSION_ID="${version}"\nPRETTY_NAME="Debian ${version}"\n`);

test.each(["12", "13"])("every product has its row for Debian %s", (version) => {
  const os = debian(version);
  for (const name of Object.keys(catalog)) expect(product(name, os).packages.length).toBeGreaterThan(0);
  expect(productPath(product("mariadb", os), "data")).toBe("/var/lib/mysql");
  expect(() => productPath(product("keepalived", os), "data")).toThrow("data");
});

test("another system is refused with those that are known", () => {
  const other = parseOsRelease('ID=arch\nPRETTY_NAME="Arch Linux"\n');
  expect(() => product("mariadb", other)).toThrow("mariadb is not known to run on Arch Linux");
});
