import { expect, test } from "bun:test";
import { virtualRouterId } from "../../src/vip/vrid.ts";

const names = ["mysql", "influxdb", "minio", "server", "portal"];

test("the id is one byte, never 0, and stable", () => {
  for (let cluster = 0; cluster < 500; cluster++) {
    const id = virtualRouterId(`cluster-${cluster}`, "mysql");
    expect(id).toBeGreaterThanOrEqual(1);
    expect(id).toBeLessThanOrEqual(255);
    expect(virtualRouterId(`cluster-${cluster}`, "mysql")).toBe(id);
  }
});

test("the names that are planned have ids of their own in every cluster and from every base", () => {
  for (let base = 1; base <= 255; base++) {
    expect(new Set(names.map((name) => virtualRouterId("any", name, base))).size).toBe(names.length);
  }
});

test("clusters spread over all ids", () => {
  const ids = Array.from({ length: 5000 }, (_, i) => virtualRouterId(`cluster-${i}`, "mysql"));
  expect(new Set(ids).size).toBe(255);
});
