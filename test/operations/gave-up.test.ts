import { describe, expect, test } from "bun:test";
import { untilSettled } from "../../src/operations/gave-up.ts";
import { SimClock } from "../cluster/sim.ts";

/** What the unit is from a moment on, ms after the first look. */
type Turn = [at: number, active: string, invocation?: string];

async function settled(turns: readonly Turn[]): Promise<{ active: string; at: number }> {
  const clock = new SimClock();
  const show = async () => {
    const [, active = "", invocation = ""] = turns.findLast(([at]) => at <= clock.now()) ?? [];
    return { active, invocation };
  };
  const found = untilSettled(show, clock).then((active) => ({ active, at: clock.now() }));
  await clock.run(30_000);
  return found;
}

describe("whether systemd has given up on the agent", () => {
  test("it has, at once", async () => {
    expect(await settled([[0, "failed"]])).toEqual({ active: "failed", at: 0 });
  });

  test("it is about to: it tries once more, in vain", async () => {
    const { active, at } = await settled([
      [0, "activating"],
      [700, "failed"],
    ]);
    expect(active).toBe("failed");
    expect(at).toBeLessThan(1_000);
  });

  test("an agent that comes up and dies again is waited for", async () => {
    const turns: Turn[] = [[0, "activating"]];
    for (let i = 1; i <= 4; i++) turns.push([i * 1_000, "active", `run ${i}`]);
    expect((await settled([...turns, [6_000, "activating"], [6_100, "failed"]])).active).toBe("failed");
  });

  test("one that runs for a while is back", async () => {
    const { active, at } = await settled([
      [0, "activating"],
      [400, "active", "run 2"],
    ]);
    expect(active).toBe("active");
    expect(at).toBeLessThan(4_000);
  });

  test("one that was stopped is nobody's failure", async () => {
    expect(
      (
        await settled([
          [0, "deactivating"],
          [300, "inactive"],
        ])
      ).active,
    ).toBe("inactive");
  });
});
