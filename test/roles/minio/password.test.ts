import { beforeEach, describe, expect, test } from "bun:test";
import type { SecretState } from "../../../src/cluster/secret-store.ts";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import type { PasswordServer } from "../../../src/roles/minio/guard/password-server.ts";
import { alone, HeldRestart } from "../../../src/roles/minio/guard/held-restart.ts";
import { PasswordChange } from "../../../src/roles/minio/guard/password.ts";
import { storeContext, storeNode } from "./context.ts";

const [before, after] = ["0", "1.aaaaaaaa"];
const taken: SecretState = { current: after, next: null, used: before };

const context = storeContext([1, 2, 3].map((index) => storeNode(index)));
let now: number;
/** How often the other nodes' reports were read. */
let asks: number;
let own: SecretState;
/** What was done, in order. */
let did: string[];
let server: PasswordServer & { isOldNow: boolean; readsNow: boolean };
let fails: boolean;
let restarts: HeldRestart;
let change: PasswordChange;

const serving = { writes: true, attached: true, lacksDrives: false };

beforeEach(() => {
  [now, asks, own, did, fails] = [0, 0, taken, [], false];
  server = {
    isOldNow: true,
    readsNow: true,
    isWritten: async () => true,
    isOld: async () => server.isOldNow,
    async reads() {
      did.push("asked");
      return server.readsNow;
    },
  };
  const deps = {
    clock: { now: () => now },
    membership: {
      self: context.self,
      members: () => context.members,
      call: async (node: string, method: string) => void did.push(`${node} ${method.split("-").at(-1)}`),
    },
    context: () => context,
    hasVip: () => true,
    secret: () => ({
      own,
      others() {
        asks++;
        return new Map(["node2", "node3"].map((name) => [name, taken]));
      },
    }),
    async useSecret() {
      own = { ...own, used: own.current };
    },
  } as unknown as GuardDeps;
  const { signal } = new AbortController();
  const restart = async () => {
    did.push("restart");
    if (fails) throw new Error("masked");
  };
  restarts = new HeldRestart(deps, () => serving, alone, signal, restart, {
    hold: async () => void did.push("hold"),
    release: async () => void did.push("release"),
    view: async () => [],
  });
  change = new PasswordChange(deps, restarts, signal, server);
});

const restarted = ["hold", "node2 hold", "node3 hold", "restart", "node2 restart", "node3 restart"];
const sorted = (things: readonly string[]) => things.toSorted();

describe("a server that is to have another password", () => {
  test("is restarted with the others, once all hold their clients, and is then asked whether it serves", async () => {
    await change.advance();
    expect(sorted(did)).toEqual(sorted(restarted));
    expect(did.findLastIndex((what) => what.endsWith("hold"))).toBe(2);
    [did, server.isOldNow, server.readsNow] = [[], false, false];
    await change.advance();
    expect(own.used).toBe(before);
    server.readsNow = true;
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

  test("and was restarted for one change is restarted for the next one at once", async () => {
    await change.advance();
    server.isOldNow = false;
    await change.advance();
    [own, server.isOldNow, did] = [taken, true, []];
    await change.advance();
    expect(sorted(did)).toEqual(sorted(restarted));
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
    () => serving,
    alone,
    new AbortController().signal,
    restart,
    balancer,
  );
  await lone.start();
});
