import { expect, test } from "bun:test";
import { OneServer, type OtherServer } from "../../../../src/roles/influxdb/guard/one-server.ts";
import { random } from "../../../plan/random.ts";

/** Nothing happens but what is drawn: messages and waits take as long as they take. */
class Drawn {
  readonly #next: (below: number) => number;
  readonly #open: (() => void)[] = [];

  constructor(seed: number) {
    this.#next = random(seed);
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#open.push(resolve));
  }

  /** One after the other in any order, until nothing is waited for. @returns whether that came */
  async play(): Promise<boolean> {
    for (let steps = 0; steps < 2_000; steps++) {
      await new Promise(setImmediate);
      const [happens] = this.#open.splice(this.#next(this.#open.length || 1), 1);
      if (!happens) return true;
      happens();
    }
    return false;
  }
}

test("no two servers delete at a time, and both come to their end, in whatever order things are heard", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const drawn = new Drawn(seed);
    const make = () => new OneServer({ sleep: () => drawn.wait() });
    const [one, two] = [make(), make()];
    const heard = (name: string, node: OneServer): OtherServer => ({
      name,
      async stage() {
        await drawn.wait();
        const { stage } = node;
        await drawn.wait();
        return stage;
      },
    });
    let [atWork, most, done] = [0, 0, 0];
    const work = async () => {
      most = Math.max(most, ++atWork);
      await drawn.wait();
      atWork--;
      done++;
    };
    const run = async (node: OneServer, self: string, other: OtherServer) => {
      for (let i = 0; i < 3; i++) {
        await drawn.wait();
        await node.alone(self, other, work);
      }
    };
    const both = [run(one, "node1", heard("node2", two)), run(two, "node2", heard("node1", one))];
    expect([seed, await drawn.play(), most, done]).toEqual([seed, true, 1, 6]);
    await Promise.all(both);
  }
});

test("a node that does not answer is not waited for, and what fails is over", async () => {
  const one = new OneServer({ sleep: () => Promise.reject(new Error("waits")) });
  const away: OtherServer = { name: "node2", stage: () => Promise.reject(new Error("away")) };
  expect(await one.alone("node1", away, () => Promise.resolve(one.stage))).toBe("deleting");
  const busy: OtherServer = { name: "node2", stage: () => Promise.resolve("deleting") };
  expect(await one.alone("node1", busy, () => Promise.resolve()).catch(String)).toBe("Error: waits");
  expect(one.stage).toBe("idle");
});
