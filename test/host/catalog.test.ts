import { expect, test } from "bun:test";
import { catalog, product, productPath } from "../../src/host/catalog.ts";
import { parseOsRelease } from "../../src/host/os.ts";

const debian12 = parseOsRelease('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n');

test("every product has its row for Debian 12", () => {
  for (const name of Object.keys(catalog)) expect(product(name, debian12).packages.length).toBeGreaterThan(0);
  expect(productPath(product("mariadb", debian12), "data")).toBe("/var/lib/mysql");
  expect(() => productPath(product("keepalived", debian12), "data")).toThrow("data");
});

test("another system is refused with those that are known", () => {
  const other = parseOsRelease('ID=arch\nPRETTY_NAME="Arch Linux"\n');
  expect(() => product("mariadb", other)).toThrow("mariadb is not known to run on Arch Linux");
});
