import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { targetSystem } from "../../src/bundle/systems.ts";
import { wantedPackages } from "../../src/operations/bundle/wanted.ts";
import { failure } from "../plan/failure.ts";

const work = mkdtempSync(join(tmpdir(), "chime-node-wanted-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const debian12 = targetSystem("debian12");
const mariadb = "roles.mysql.engine=mariadb";

describe("wantedPackages", () => {
  const wanted = (role: string[], set: string[] = [], config?: string) =>
    wantedPackages({ role, set, config }, debian12);

  test("of the roles, their VIP's program included", async () => {
    expect(await wanted(["mysql"], [mariadb])).toEqual(["mariadb-server", "mariadb-backup", "keepalived"]);
    expect(await wanted(["mysql", "witness"], [mariadb, "roles.mysql.vip=10.0.0.1"])).toContain("keepalived");
    expect(await wanted(["witness"])).toEqual([]);
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
    [["mysql"], [], "bundle.vendor", 3],
    [["mysql"], ["roles.mysql.engin=mariadb"], "usage.unknown_key", 2],
  ])("%p %p: %s", async (role, set, code, exit) => {
    expect(await failure(wanted(role, set))).toMatchObject({ code, exit });
  });
});

test("a system that there are no bundles for is told the nearest one", () => {
  expect(() => targetSystem("debian11")).toThrow(
    "bundles are made for debian12 and debian13, not for debian11",
  );
});
