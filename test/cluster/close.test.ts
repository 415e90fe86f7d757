import { describe, expect, test } from "bun:test";
import { closeTo } from "../../src/cluster/close.ts";
import { seeded } from "./support.ts";

const node = (index: number, ...roles: string[]) => ({ index, roles });
const witnesses = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => node(from + i, "witness"));

describe("who is close to whom", () => {
  const cases: [string, number, ReturnType<typeof node>[], number[]][] = [
    ["a pair", 1, [node(1, "mysql"), node(2, "mysql")], [2]],
    ["a pair and its witness", 3, [node(1, "mysql"), node(2, "mysql"), node(3, "witness")], [1, 2]],
    ["a node that has no role yet is a bystander", 3, [node(1, "mysql"), node(3)], [1]],
    ["witnesses are nothing to each other", 1, witnesses(1, 4), []],
    ["the first five bystanders", 1, [node(1, "mysql"), ...witnesses(2, 9)], [2, 3, 4, 5, 6]],
    ["the sixth is none", 7, [node(1, "mysql"), ...witnesses(2, 9)], []],
    [
      "two pairs: each is the other's bystanders",
      1,
      [node(1, "mysql"), node(2, "mysql"), node(3, "minio"), node(4, "minio")],
      [2, 3, 4],
    ],
    [
      "one role of two is enough",
      2,
      [node(1, "mysql", "minio"), node(2, "minio"), ...witnesses(3, 3)],
      [1, 3],
    ],
  ];
  test.each(cases)("%s", (_what, self, members, expected) => {
    expect([...closeTo(self, members)].sort((a, b) => a - b)).toEqual(expected);
  });

  test("whom a pair names its third voter, the first without the role that lives, is close but where five before it are dead", () => {
    const members = [node(1, "mysql"), ...witnesses(2, 4), node(5, "mysql"), node(6), ...witnesses(7, 9)];
    const others = members.map(({ index }) => index).filter((index) => index !== 1 && index !== 5);
    const isClose = (dead: number) => closeTo(1, members).has(others[dead] ?? 0);
    expect([0, 1, 2, 3, 4, 5, 6].map(isClose)).toEqual([true, true, true, true, true, false, false]);
  });

  test("the same seen from both sides, in any order (300 clusters)", () => {
    const random = seeded(7);
    const some = ["mysql", "minio", "influxdb", "server"];
    for (let round = 0; round < 300; round++) {
      const members = Array.from({ length: 1 + Math.floor(random() * 14) }, (_, i) =>
        random() < 0.4 ? node(i + 1, "witness") : node(i + 1, ...some.filter(() => random() < 0.3)),
      );
      const shuffled = members.map((m) => ({ m, at: random() })).sort((a, b) => a.at - b.at);
      const close = new Map(members.map(({ index }) => [index, closeTo(index, members)]));
      for (const { index } of members) {
        expect(
          closeTo(
            index,
            shuffled.map(({ m }) => m),
          ),
        ).toEqual(close.get(index) as Set<number>);
        for (const other of close.get(index) ?? []) expect(close.get(other)?.has(index)).toBe(true);
      }
    }
  });
});
