import { expect, test } from "bun:test";
import { failed } from "../../../../src/core/errors.ts";
import { Exclusion } from "../../../../src/roles/influxdb/guard/exclusion.ts";

function two() {
  const state = { now: 0, away: "" };
  const nodes = ["node1", "node2"].map((name) => new Exclusion({ now: () => state.now }, () => name));
  const [one, other] = nodes as [Exclusion, Exclusion];
  const seen = (name: string, node: Exclusion) => ({
    name,
    underWay: () =>
      state.away ? Promise.reject(failed(state.away, "no answer")) : Promise.resolve(node.underWay),
  });
  return { state, one, two: other, toOne: seen("node1", one), toTwo: seen("node2", other) };
}
const ready = () => Promise.resolve();
const nothing = () => Promise.resolve("done");

test("nothing is deleted on either node while one of them repairs by hand", async () => {
  const { one, two: second, toOne, toTwo } = two();
  await one.repair(toTwo, ready);
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
  await expect(one.repair(toTwo, ready)).rejects.toMatchObject({ code: "influxdb.deleting", node: "node2" });
  await expect(second.repair(toOne, ready)).rejects.toMatchObject({
    code: "influxdb.deleting",
    node: "node2",
  });
  work.resolve("done");
  expect(await deletion).toBe("done");
  expect(await one.delete(toTwo, nothing)).toBe("done");
  await one.repair(toTwo, ready);
});

test("of two that begin at the same moment at least one is refused", async () => {
  const { one, two: second, toOne, toTwo } = two();
  let isDeleted = false;
  const results = await Promise.allSettled([
    one.repair(toTwo, ready),
    second.delete(toOne, () => Promise.resolve((isDeleted = true))),
  ]);
  expect(results.some(({ status }) => status === "rejected")).toBe(true);
  expect(isDeleted && one.underWay.repairing).toBe(false);
});

test("a repair that was killed holds nothing up for long, one that goes on does", async () => {
  const { state, one, two: second, toOne, toTwo } = two();
  await one.repair(toTwo, ready);
  state.now = 14_000;
  one.goOn();
  state.now = 28_000;
  await expect(second.delete(toOne, nothing)).rejects.toMatchObject({ code: "influxdb.repairing" });
  state.now = 29_000;
  expect(await second.delete(toOne, nothing)).toBe("done");
});

test("a repair that was late does not go on: something may be deleted meanwhile", async () => {
  const { state, one, two: second, toOne, toTwo } = two();
  const tooLate = { code: "influxdb.repair_late", exit: 3 };
  expect(() => one.goOn()).toThrow(expect.objectContaining(tooLate));
  await one.repair(toTwo, ready);
  state.now = 15_000;
  await second.delete(toOne, async () => expect(() => one.goOn()).toThrow(expect.objectContaining(tooLate)));
  expect(() => one.goOn()).toThrow(expect.objectContaining(tooLate));
  expect(one.underWay.repairing).toBe(false);
});

test("a repair has its time from when it is prepared, however long that takes", async () => {
  const { state, one, two: second, toOne, toTwo } = two();
  const prepared = Promise.withResolvers<void>();
  const repair = one.repair(toTwo, () => prepared.promise);
  state.now = 60_000;
  await expect(second.delete(toOne, nothing)).rejects.toMatchObject({ code: "influxdb.repairing" });
  prepared.resolve();
  await repair;
  state.now += 14_000;
  one.goOn();
  expect(one.underWay.repairing).toBe(true);
  one.repaired();
  await expect(one.repair(toTwo, () => Promise.reject(new Error("not ready")))).rejects.toThrow("not ready");
  expect(one.underWay.repairing).toBe(false);
});

test.each(["peer.unreachable", "peer.no_method", "role.not_here"])(
  "a node that is away (%s) holds no deletion up, and nothing is repaired without it",
  async (code) => {
    const { state, one, toTwo } = two();
    state.away = code;
    expect(await one.delete(toTwo, nothing)).toBe("done");
    await expect(one.repair(toTwo, ready)).rejects.toMatchObject({ code });
    state.away = "";
    expect(one.underWay.repairing).toBe(false);
  },
);

test("a node that is there and does not answer may be repairing: nothing is deleted", async () => {
  const { state, one, toTwo } = two();
  state.away = "peer.timeout";
  let isDeleted = false;
  const deletion = one.delete(toTwo, () => Promise.resolve((isDeleted = true)));
  await expect(deletion).rejects.toMatchObject({ code: "influxdb.repair_unknown", exit: 3, node: "node2" });
  expect([isDeleted, one.underWay.deleting]).toEqual([false, false]);
});
