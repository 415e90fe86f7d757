import { beforeEach, describe, expect, test } from "bun:test";
import type { MemberView } from "../../../../src/cluster/types.ts";
import type { GuardDeps } from "../../../../src/roles/guard.ts";
import { HeldRestart, type Cause } from "../../../../src/roles/minio/guard/held-restart.ts";
import { otherNode } from "../../../../src/roles/minio/mirror/other.ts";
import { MirrorTurns } from "../../../../src/roles/minio/mirror/turns.ts";
import { mirrorWell, storeContext, storeNode } from "../context.ts";

interface Store {
  name: string;
  turns: MirrorTurns;
  restarts: HeldRestart;
  hasVip: boolean;
  runs: boolean;
  /** For how long it has not answered while it does not run, ms. */
  silentMs: number;
  /** Its server is being stopped, which takes its time. */
  isStopping: boolean;
  /** It was started before what is there. */
  isOld: boolean;
  /** Its gate is open. */
  isEligible: boolean;
  liveness: MemberView["state"];
  restartFails: boolean;
  /** Resolves what clients have under way there. */
  drained: PromiseWithResolvers<void>;
}

let now: number;
let stores: [Store, Store];
/** Whom an answer does not come from. */
let deaf: Set<string>;
/** What happens while an answer is on its way. */
let meanwhile: () => void;

const cause = (own: () => Store): Cause => ({
  name: "trust",
  while: "tested",
  own: () => ({ current: "new", used: own().isOld ? null : "new" }),
  others: () => [],
  isOld: async () => own().isOld,
});

function store(index: number): Store {
  const name = `node${index}`;
  const own = () => stores[index - 1] as Store;
  const mate = () => stores[2 - index] as Store;
  const members = () => {
    const views = stores.map((one, i) =>
      storeNode(i + 1, {
        liveness: one.liveness,
        mirror: { ...mirrorWell, up: one.runs, current: one.runs },
      }),
    );
    return index === 1 ? views : views.toReversed();
  };
  const context = () => storeContext(members(), `nodes = 2\ntopology = "mirror"\ndisks_per_node = 1`);
  const deps = {
    clock: { now: () => now, sleep: () => Promise.resolve() },
    membership: {
      async call(node: string, method: string, asked: unknown) {
        expect([node, method]).toEqual([mate().name, "guard.minio.turn"]);
        if (deaf.has(node)) throw new Error("no answer");
        const answer = mate().turns.answer(asked);
        meanwhile();
        return answer;
      },
    },
    context,
    hasVip: () => own().hasVip,
    heirs: () => [mate().name],
    drain: () => Promise.resolve(),
    setEligible(eligible: boolean) {
      own().isEligible = eligible;
      if (!eligible && own().hasVip) [own().hasVip, mate().hasVip] = [false, true];
    },
  } as unknown as GuardDeps;
  const { signal } = new AbortController();
  const server = {
    silentMs: () => (own().runs ? 0 : own().silentMs),
    isIdle: () => !own().runs,
    whyNotAlone: () => (own().runs ? undefined : "waiting for the server to start"),
  };
  const turns = new MirrorTurns(deps, () => otherNode(context().self, members()), server, signal);
  const serving = () => ({ writes: own().runs, attached: true, lacksDrives: false });
  const restart = async () => {
    if (own().restartFails) throw new Error("masked");
    own().isStopping = true;
  };
  const restarts = new HeldRestart(deps, serving, turns, signal, restart, {
    hold: () => own().drained.promise,
    release: () => Promise.resolve(),
    view: async () => [],
  });
  restarts.serve(cause(own));
  const drained = Promise.withResolvers<void>();
  drained.resolve();
  return {
    name,
    turns,
    restarts,
    hasVip: index === 1,
    runs: true,
    silentMs: 1_000,
    isStopping: false,
    isOld: true,
    isEligible: true,
    liveness: "alive",
    restartFails: false,
    drained,
  };
}

/** Its guard finds another run of its server. */
function startedAnew(one: Store): void {
  [one.isStopping, one.runs, one.isOld] = [false, true, false];
  one.turns.end();
}

const begin = (one: Store) =>
  one.restarts.begin(
    "restart",
    cause(() => one),
  );
const areBothDown = () => stores.every(({ isStopping, runs }) => isStopping || !runs);

let one: Store;
let two: Store;
beforeEach(() => {
  [now, deaf, meanwhile] = [0, new Set(), () => undefined];
  stores = [store(1), store(2)];
  [one, two] = stores;
});

describe("a server that is restarted for what it reads when it starts", () => {
  test("is not relied on meanwhile: the other one's clients are left to it when another run of it is there", async () => {
    await begin(two);
    expect([two.isStopping, two.turns.isAway]).toEqual([true, true]);
    expect(await one.turns.takeAndLeave()).toBe("waiting for node2 to restart its server");
    now += 15_000;
    expect(await one.turns.takeAndLeave()).toBe("waiting for node2: its own server is restarted first");
    expect(one.hasVip).toBe(true);
    startedAnew(two);
    expect(await one.turns.takeAndLeave()).toBeUndefined();
    expect([one.hasVip, two.turns.isAway]).toEqual([false, false]);
  });

  test("is not relied on while its clients still end what they have under way", async () => {
    one.drained = Promise.withResolvers();
    const begun = begin(one);
    await Bun.sleep(0);
    expect(await two.turns.takeAndLeave()).toContain("waiting for node1");
    expect(one.turns.isAway).toBe(false);
    one.drained.resolve();
    await begun;
    expect([one.isStopping, one.hasVip, one.isEligible]).toEqual([true, true, true]);
  });

  test("has its clients wait that come while it asks: its gate does not close on them", async () => {
    meanwhile = () => ([one.hasVip, two.hasVip] = [false, true]);
    two.drained = Promise.withResolvers();
    const begun = begin(two);
    for (let i = 0; i < 100; i++) {
      expect(two.turns.isAway).toBe(false);
      await Promise.resolve();
    }
    expect([two.isStopping, two.isEligible]).toEqual([false, true]);
    two.drained.resolve();
    await begun;
    expect([two.isStopping, two.isEligible]).toEqual([true, true]);
  });

  test("and whose clients leave while it asks is away for them, at once", async () => {
    meanwhile = () => ([one.hasVip, two.hasVip] = [false, true]);
    await begin(one);
    expect([one.isStopping, one.turns.isAway, one.isEligible]).toEqual([true, true, false]);
  });

  test("is left alone while the other one's clients are on their way to it", async () => {
    expect(await one.turns.takeAndLeave()).toBeUndefined();
    await begin(two);
    expect(two.isStopping).toBe(false);
    startedAnew(one);
    now += 15_000;
    await begin(two);
    expect(two.isStopping).toBe(true);
  });

  test.each([
    ["one has the VIP", true],
    ["nobody has it for the moment", false],
  ])("is not restarted beside the other one, whoever hears of it first: %s", async (_, hasVip) => {
    one.hasVip = hasVip;
    await Promise.all([begin(one), begin(two)]);
    expect([areBothDown(), one.isStopping || two.isStopping]).toEqual([false, true]);
    const [first, second] = one.isStopping ? [one, two] : [two, one];
    now += 15_000;
    await begin(second);
    expect(areBothDown()).toBe(false);
    startedAnew(first);
    await begin(second);
    expect(second.isStopping).toBe(true);
  });

  test("is not restarted while the other one's does not run, nor while that does not answer", async () => {
    two.runs = false;
    await begin(one);
    expect(one.isStopping).toBe(false);
    two.runs = true;
    deaf.add("node2");
    await begin(one);
    expect(one.isStopping).toBe(false);
    deaf.clear();
    await begin(one);
    expect(one.isStopping).toBe(true);
  });

  test("is restarted where the other one's does not come back", async () => {
    [two.runs, two.silentMs] = [false, 59_999];
    await begin(one);
    expect(one.isStopping).toBe(false);
    two.silentMs = 60_000;
    await begin(one);
    expect(one.isStopping).toBe(true);
  });

  test("waits for none that is given up", async () => {
    two.liveness = "dead";
    deaf.add("node2");
    await begin(one);
    expect(one.isStopping).toBe(true);
  });

  test("and cannot be, or was already, holds up nobody", async () => {
    two.restartFails = true;
    await expect(begin(two)).rejects.toThrow("masked");
    now += 15_000;
    expect(await one.turns.takeAndLeave()).toBeUndefined();
    startedAnew(one);
    now += 60_000;
    [one.hasVip, two.hasVip, two.restartFails, two.isOld] = [true, false, false, false];
    await begin(two);
    expect([two.isStopping, two.turns.isAway]).toEqual([false, false]);
  });
});
