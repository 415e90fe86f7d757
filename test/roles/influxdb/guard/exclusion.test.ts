import { expect, test } from "bun:test";
import { Exclusion } from "../../../../src/roles/influxdb/guard/exclusion.ts";

function two() {
  const state = { now: 0, away: false };
  const nodes = ["node1", "node2"].map((name) => new Exclusion({ now: () => state.now }, () => name));
  const [one, other] = nodes as [Exclusion, Exclusion];
  const seen = (name: string, node: Exclusion) => ({
    name,
    underWay: () => (state.away ? Promise.reject(new Error("away")) : Promise.resolve(node.underWay)),
  });
  return { state, one, two: other, toOne: seen("node1", one), toTwo: seen("node2", other) };
}
const nothing = () => Promise.resolve("done");

test("nothing is deleted on either node while one of them repairs by hand", async () => {
  const { one, two: second, toOne, toTwo } = two();
  await one.repair(toTwo);
  const refusal = { code: "influxdb.repairing", exit: 3, node: "node1" };
  await expect(second.delete(toOne, nothing)).rejects.toMatchObject(refusal);
  await expect(one.delete(toTwo, nothing)).rejects.toMatchObject(refusal);
  one.repaired();
  expect(await second.delete(toOne, nothing)).toBe("done");
});

test("nothing is repaired while either of them deletes, and a refused repair holds nothing up", async () => {
  const { one, two: second, toOne, toTwo } = two();
  const work = Promise.withResolvers<string>();
  const deletion = second.delete(toOne, () => work.promise);
  await expect(one.repair(toTwo)).rejects.toMatchObject({ code: "influxdb.deleting", node: "node2" });
  await expect(second.repair(toOne)).rejects.toMatchObject({ code: "influxdb.deleting", node: "node2" });
  work.resolve("done");
  expect(await deletion).toBe("done");
  expect(await one.delete(toTwo, nothing)).toBe("done");
  await one.repair(toTwo);
});

test("of two that begin at the same moment at least one is refused", async () => {
  const { one, two: second, toOne, toTwo } = two();
  let isDeleted = false;
  const results = await Promise.allSettled([
    one.repair(toTwo),
    second.delete(toOne, () => Promise.resolve((isDeleted = true))),
  ]);
  expect(results.some(({ status }) => status === "rejected")).toBe(true);
  expect(isDeleted && one.underWay.repairing).toBe(false);
});

test("a repair that was killed holds nothing up for long, one that goes on does", async () => {
  const { state, one, two: second, toOne, toTwo } = two();
  await one.repair(toTwo);
  state.now = 14_000;
  one.goOn();
  state.now = 28_000;
  await expect(second.delete(toOne, nothing)).rejects.toMatchObject({ code: "influxdb.repairing" });
  state.now = 29_000;
  expect(await second.delete(toOne, nothing)).toBe("done");
});

test("a node that is away holds no deletion up, and nothing is repaired without it", async () => {
  const { state, one, toTwo } = two();
  state.away = true;
  expect(await one.delete(toTwo, nothing)).toBe("done");
  await expect(one.repair(toTwo)).rejects.toThrow("away");
  state.away = false;
  expect(one.underWay.repairing).toBe(false);
});
