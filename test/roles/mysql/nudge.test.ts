import { expect, test } from "bun:test";
import type { Session } from "../../../src/roles/mysql/client.ts";
import { Nudge } from "../../../src/roles/mysql/guard/nudge.ts";
import type { Decision, View } from "../../../src/roles/mysql/guard/view.ts";
import { peer, published, server, view } from "./views.ts";

const decision: Decision = { eligible: true, step: null, awaiting: "" };
const follower = peer(2, { said: published({ follows: "node1", semi_sync: true }) });
const writing = (source: Parameters<typeof server>[0]["source"]) =>
  server({ readOnly: false, source: { enabled: true, replicas: 1, ...source } });

/** Looks at each of these, `ms` apart; returns how often something was committed. */
function nudges(views: readonly View[], ms = 0, decided = decision): number {
  let [now, count] = [0, 0];
  const engine = {
    async nudge() {
      count += 1;
    },
  };
  const nudge = new Nudge({ now: () => now }, engine, {} as Session);
  for (const one of views) {
    nudge.look(one, decided);
    now += ms;
  }
  return count;
}

const quiet = view({ server: writing({ active: false }), peers: [follower] });
const missed = view({ server: writing({ active: true, waiting: 1 }), stuckMs: 600, peers: [follower] });

test("a quiet writer whose replica has come back, and one whose commit is not acknowledged", () => {
  expect([quiet, missed].map((one) => nudges([one]))).toEqual([1, 1]);
});

test("not while all is well, or while nobody can acknowledge", () => {
  const others: View[] = [
    view({ server: writing({ active: true }), peers: [follower] }),
    view({ server: writing({ active: true, waiting: 3 }), stuckMs: 100, peers: [follower] }),
    { ...quiet, server: writing({ active: false, replicas: 0 }) },
    { ...quiet, server: writing({ active: false, enabled: false }) },
    { ...quiet, server: server({ readOnly: true, source: { enabled: true, replicas: 1 } }) },
    { ...quiet, server: { down: "starting" } },
    { ...missed, peers: [{ ...follower, state: "dead" }] },
    { ...missed, peers: [peer(2, { said: published({ follows: "node1" }) })] },
    { ...quiet, stopping: true },
  ];
  expect(others.map((one) => nudges([one]))).toEqual(others.map(() => 0));
  expect(nudges([missed], 0, { ...decision, eligible: false })).toBe(0);
});

test("once a second", () =>
  expect(
    nudges(
      Array.from({ length: 10 }, () => missed),
      250,
    ),
  ).toBe(3));
