import { beforeEach, expect, test } from "bun:test";
import { failed } from "../../../src/core/errors.ts";
import { Gate } from "../../../src/roles/minio/guard/gate.ts";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import type { BackendView } from "../../../src/vip/balancer/types.ts";
import { storeContext, storeNode } from "./context.ts";

let now: number;
let said: BackendView[] | "silent";
let eligible: boolean | undefined;
let admitted: string[];
let isLeaving: boolean;
let isHeld: boolean;
let isDraining: boolean;
let inMaintenance: boolean;
let members: ReturnType<typeof storeNode>[];
let gate: Gate;

beforeEach(() => {
  [now, eligible, admitted] = [0, undefined, []];
  isLeaving = isHeld = isDraining = inMaintenance = false;
  members = [1, 2, 3].map((index) => storeNode(index));
  said = servers("up");
  const deps = {
    clock: { now: () => now },
    context: () => storeContext(members),
    membership: { members: () => members },
    setEligible: (value: boolean) => (eligible = value),
    isDraining: () => isDraining,
    inMaintenance: () => inMaintenance,
  } as unknown as GuardDeps;
  gate = new Gate(
    deps,
    { isLeaving: () => isLeaving, isHeld: () => isHeld },
    {
      async view() {
        if (said === "silent") throw failed("balancer.stats", "haproxy does not answer");
        return said;
      },
      admit: async ({ route, node }) => void admitted.push(`${route} ${node}`),
    },
  );
});

const states = {
  up: { up: true, rising: false },
  down: { up: false, rising: false },
  rising: { up: false, rising: true },
};

/** Node1's is up or not, to read and to write; the others' are out. */
function servers(state: keyof typeof states): BackendView[] {
  return ["read", "write"].flatMap((route) =>
    [1, 2, 3].map((index) => ({
      service: "minio",
      route,
      node: `node${index}`,
      sessions: 0,
      ...states[index === 1 ? state : "down"],
    })),
  );
}

/** Half a second after the last look. */
async function look(): Promise<boolean | undefined> {
  now += 500;
  await gate.look();
  return eligible;
}

test("it is open while the balancer finds a server to read from", async () => {
  expect([await look(), gate.balanced]).toEqual([true, true]);
  said = servers("down");
  expect([await look(), gate.balanced]).toEqual([false, false]);
});

test("a balancer that does not run closes it at once", async () => {
  await look();
  said = [];
  expect(await look()).toBe(false);
});

test("one that does not answer for a moment leaves it open, and one that hangs does not", async () => {
  await look();
  said = "silent";
  for (let i = 0; i < 6; i++) expect([await look(), gate.balanced]).toEqual([true, true]);
  expect([await look(), gate.balanced]).toEqual([false, false]);
  said = servers("up");
  expect(await look()).toBe(true);
});

test("one that has not answered yet opens nothing", async () => {
  said = "silent";
  expect(await look()).toBe(false);
});

test("who gives the VIP up does so, whether the balancer answers or not", async () => {
  await look();
  said = "silent";
  inMaintenance = true;
  expect(await look()).toBe(false);
  inMaintenance = false;
  expect(await look()).toBe(true);
  isLeaving = true;
  expect(await look()).toBe(false);
});

test("nothing is moved while requests wait, or a drain is under way", async () => {
  await look();
  said = servers("down");
  isHeld = true;
  expect(await look()).toBe(true);
  [isHeld, isDraining] = [false, true];
  expect(await look()).toBe(true);
  isDraining = false;
  expect(await look()).toBe(false);
});

test("a server that is back is used again by what the balancer says now, not by what it said", async () => {
  const own = (attached: boolean) => (members = [storeNode(1, { attached }), storeNode(2), storeNode(3)]);
  own(false);
  said = servers("down");
  await look();
  own(true);
  said = servers("rising");
  await look();
  said = "silent";
  for (let i = 0; i < 5; i++) await look();
  expect(admitted).toEqual([]);
  said = servers("rising");
  await look();
  expect(admitted).toEqual(["read node1", "write node1"]);
});
