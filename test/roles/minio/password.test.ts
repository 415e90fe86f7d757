import { beforeEach, describe, expect, test } from "bun:test";
import type { SecretState } from "../../../src/cluster/secret-store.ts";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import type { PasswordServer } from "../../../src/roles/minio/guard/password-server.ts";
import { alone, HeldRestart } from "../../../src/roles/minio/guard/held-restart.ts";
import { PasswordChange } from "../../../src/roles/minio/guard/password.ts";
import { storeContext, storeNode, type Said } from "./context.ts";
import { servesWell, toldBalancer } from "./held.ts";

const [before, after] = ["0", "1.aaaaaaaa"];
const taken: SecretState = { current: after, next: null, used: before };

let said: [Said, Said];
const context = () => storeContext([{}, ...said].map((what, i) => storeNode(i + 1, what)));
let now: number;
/** How often the other nodes' reports were read. */
let asks: number;
let own: SecretState;
/** What was done, in order. */
let did: string[];
let server: PasswordServer & { isOldNow: boolean; isSettledNow: boolean; isWrittenNow: boolean };
let fails: boolean;
/** What its turn waits for. */
let awaits: string | undefined;
let restarts: HeldRestart;
let change: PasswordChange;

beforeEach(() => {
  [now, asks, own, said, did, fails, awaits] = [0, 0, taken, [{}, {}], [], false, undefined];
  server = {
    isOldNow: true,
    isSettledNow: true,
    isWrittenNow: true,
    isWritten: async () => server.isWrittenNow,
    isOld: async () => server.isOldNow,
    async isSettled() {
      did.push("asked");
      return server.isSettledNow;
    },
  };
  const deps = {
    clock: { now: () => now },
    membership: {
      self: context().self,
      members: () => context().members,
      call: async (node: string, method: string) => void did.push(`${node} ${method.split("-").at(-1)}`),
    },
    context,
    hasVip: () => true,
    secret: () => ({
      own,
      others() {
        asks++;
        return new Map(["node2", "node3"].map((name) => [name, taken]));
      },
    }),
    takeSecret: async () => void did.push("take"),
    async useSecret() {
      own = { ...own, used: own.current };
    },
  } as unknown as GuardDeps;
  const { signal } = new AbortController();
  const restart = async () => {
    did.push("restart");
    if (fails) throw new Error("masked");
  };
  restarts = new HeldRestart(
    deps,
    () => servesWell,
    { ...alone, take: async () => awaits },
    signal,
    restart,
    toldBalancer((what) => void did.push(what), []),
  );
  change = new PasswordChange(deps, restarts, signal, server);
});

const restarted = ["hold", "node2 hold", "node3 hold", "restart", "node2 restart", "node3 restart"];
const sorted = (things: readonly string[]) => things.toSorted();

describe("a server that is to have another password", () => {
  test("is restarted with the others, once all hold their clients, and is then asked whether it serves", async () => {
    await change.advance();
    expect(sorted(did)).toEqual(sorted(restarted));
    expect(did.findLastIndex((what) => what.endsWith("hold"))).toBe(2);
    [did, server.isOldNow, server.isSettledNow] = [[], false, false];
    await change.advance();
    expect(own.used).toBe(before);
    server.isSettledNow = true;
    await change.advance();
    expect(did).toEqual(["asked", "asked"]);
    expect(own.used).toBe(after);
  });

  test("and cannot be restarted does not have clients wait without end", async () => {
    fails = true;
    await expect(change.advance()).rejects.toThrow("masked");
    did = [];
    for (; now < 32_000; now += 1_000) {
      await change.advance();
      await restarts.settle();
    }
    expect(did).toEqual(["release"]);
    [now, fails, did] = [60_000, false, []];
    await change.advance();
    expect(sorted(did)).toEqual(sorted(restarted));
  });

  test("and whose turn it is not says what it waits for, until it is restarted", async () => {
    awaits = "waiting for node2 to restart its server";
    await change.advance();
    expect([change.awaiting(), did]).toEqual([awaits, []]);
    awaits = undefined;
    await change.advance();
    expect(change.awaiting()).toBeNull();
    expect(did).toContain("restart");
  });

  test("and was restarted for one change is restarted for the next one at once", async () => {
    await change.advance();
    server.isOldNow = false;
    await change.advance();
    [own, server.isOldNow, did] = [taken, true, []];
    await change.advance();
    expect(sorted(did)).toEqual(sorted(restarted));
  });
});

describe("with a node that does nothing", () => {
  test("its server is stopped: it is at the end without it, and holds up nobody", async () => {
    [server.isOldNow, server.isSettledNow] = [false, true];
    await change.advance();
    expect([did, own.used, change.awaiting()]).toEqual([["asked"], after, null]);
    expect(change.own()).toEqual({ current: after, used: after, old: false });
  });

  test("its settings cannot be written: that is told, and it is waited for", async () => {
    server.isWrittenNow = false;
    await change.advance();
    expect([change.own(), did]).toEqual([{ current: before, used: null, old: true }, ["take"]]);
    [server.isWrittenNow, did] = [true, []];
    said[1] = { password: { current: before, used: null, old: true } };
    await change.advance();
    expect([change.awaiting(), did]).toEqual(["waiting for node3 to have it in its server's settings", []]);
    said[1] = { password: { current: after, used: null, old: true } };
    await change.advance();
    expect([change.awaiting(), sorted(did)]).toEqual([null, sorted(restarted)]);
  });

  test("its agent is not heard: it is waited for where two of three are away, and not where it is one", async () => {
    said = [{ liveness: "dead" }, { liveness: "dead" }];
    await change.advance();
    expect([change.awaiting(), did]).toEqual([
      "waiting for node2 and node3, not heard: without the server there nothing could be written",
      [],
    ]);
    said[0] = {};
    await change.advance();
    expect(sorted(did)).toEqual(sorted(restarted.filter((what) => !what.startsWith("node3"))));
  });

  test("its role is not set up yet: it takes it when it is", async () => {
    said[1] = { phase: "installed", silent: true };
    await change.advance();
    expect(sorted(did)).toEqual(sorted(restarted.filter((what) => !what.startsWith("node3"))));
  });
});

test("nothing is read or asked while no password is changed", async () => {
  own = { current: after, next: null, used: after };
  await change.advance();
  await restarts.settle();
  expect([asks, did]).toEqual([0, []]);
});

test("an agent starts though the balancer cannot be told to let clients go on", async () => {
  const deaf = async () => Promise.reject(new Error("no answer"));
  const balancer = { hold: deaf, release: deaf, view: deaf };
  const restart = () => Promise.resolve();
  const lone = new HeldRestart(
    {} as GuardDeps,
    () => servesWell,
    alone,
    new AbortController().signal,
    restart,
    balancer,
  );
  await lone.start();
});
