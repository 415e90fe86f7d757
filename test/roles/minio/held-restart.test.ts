import { expect, test } from "bun:test";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import { alone, type Cause, HeldRestart } from "../../../src/roles/minio/guard/held-restart.ts";
import { storeContext, storeNode } from "./context.ts";
import { servesWell, toldBalancer } from "./held.ts";

/** What happened at one restart, whose balancer finds this many sessions at each look; undefined: it does not answer. */
async function restartWith(sessions: readonly (number | undefined)[]): Promise<string[]> {
  const did: string[] = [];
  const tell = (what: string) => void did.push(what);
  let [now, looks] = [0, 0];
  const clock = { now: () => now, sleep: async (ms: number) => void (now += ms) };
  const context = () => storeContext([storeNode(1)], "nodes = 2");
  const deps = { clock, context, hasVip: () => true } as unknown as GuardDeps;
  const balancer = toldBalancer(tell);
  const view = async () => {
    const found = sessions[looks++];
    tell(`look ${found ?? "in vain"}`);
    if (found === undefined) throw new Error("no answer");
    return (await balancer.view()).map((backend) => ({ ...backend, sessions: found }));
  };
  const restarts = new HeldRestart(
    deps,
    () => servesWell,
    alone,
    new AbortController().signal,
    async () => tell("restart"),
    {
      ...balancer,
      view,
    },
  );
  const cause: Cause = {
    name: "password",
    while: "it is tested",
    own: () => ({ current: "b", used: "a" }),
    others: () => [],
    isOld: async () => true,
  };
  await restarts.begin("restart", cause);
  return did;
}

test("a server is restarted when nothing of its clients is under way", async () => {
  expect(await restartWith([2, 1, 0])).toEqual(["hold", "look 2", "look 1", "look 0", "restart"]);
});

test("a balancer that does not tell for a moment is asked again: its clients are held already", async () => {
  expect(await restartWith([2, undefined, 0])).toEqual([
    "hold",
    "look 2",
    "look in vain",
    "look 0",
    "restart",
  ]);
});

test("what never ends is broken off after ten seconds, also where the balancer never tells", async () => {
  const did = await restartWith([]);
  expect([did.length, did[0], did.at(-1)]).toEqual([202, "hold", "restart"]);
});
