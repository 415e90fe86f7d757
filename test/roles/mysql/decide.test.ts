import { describe, expect, test } from "bun:test";
import { decide, isAble, mayGrant } from "../../../src/roles/mysql/guard/decide.ts";
import type { Step, View } from "../../../src/roles/mysql/guard/view.ts";
import { following, peer, protectedSource, published, server, term, view } from "./views.ts";

/** What a case expects: eligible or not, and the step (its `do`, or all of it). */
interface Case {
  name: string;
  view: View;
  eligible: boolean;
  step: Step["do"] | Partial<Step> | null;
}

const both = term(4, "node1", "node1", "node2");
const alone = term(3, "node1");
const replica2 = peer(2, { said: published({ term: both, follows: "node1", able: true, semi_sync: true }) });
const writer1 = peer(1, { said: published({ term: both, state: "writer", able: true }) });
const asReplica = { self: "node2", index: 2, peers: [writer1], term: both, proven: "L1" } as const;
const asWriter = { term: both, proven: "L1", vip: "MASTER", peers: [replica2] } as const;

function check(cases: readonly Case[]): void {
  for (const { name, view, eligible, step } of cases) {
    test(name, () => {
      const decision = decide(view);
      expect(decision.eligible).toBe(eligible);
      if (step === null) expect(decision.step).toBeNull();
      else if (typeof step === "string") expect(decision.step?.do).toBe(step);
      else expect(decision.step).toMatchObject(step);
    });
  }
}

describe("the first writer", () => {
  check([
    {
      name: "alone: claims the first term",
      view: view({}),
      eligible: false,
      step: { do: "claim", term: term(1, "node1"), ask: [] },
    },
    {
      name: "asks every node that lives",
      view: view({ peers: [peer(2), peer(3, { state: "dead" })] }),
      eligible: false,
      step: { do: "claim", ask: ["node2"] },
    },
    {
      name: "a term that a peer published is taken over",
      view: view({ peers: [peer(2, { said: published({ term: term(1, "node2") }) })] }),
      eligible: false,
      step: { do: "adopt", from: "node2" },
    },
    {
      name: "a server that is writable before any term is closed",
      view: view({ server: server({ readOnly: false }) }),
      eligible: false,
      step: "fence",
    },
    {
      name: "eligible once it has the term",
      view: view({ term: term(1, "node1") }),
      eligible: true,
      step: null,
    },
    {
      name: "opens when the VIP arrives",
      view: view({ term: term(1, "node1"), vip: "MASTER" }),
      eligible: true,
      step: "open",
    },
  ]);
});

describe("a newer term wins", () => {
  check([
    {
      name: "by its number",
      view: view({ term: both, peers: [peer(2, { said: published({ term: term(5, "node2") }) })] }),
      eligible: false,
      step: { do: "adopt", term: term(5, "node2") },
    },
    {
      name: "not an older one",
      view: view({
        ...asWriter,
        server: server({ readOnly: false, source: protectedSource }),
        peers: [peer(2, { said: published({ term: alone, follows: "node1", able: true }) })],
      }),
      eligible: true,
      step: null,
    },
    {
      name: "a tie goes to the lower index, here the peer's",
      view: view({
        self: "node2",
        index: 2,
        term: term(5, "node2"),
        peers: [peer(1, { said: published({ term: term(5, "node1") }) })],
      }),
      eligible: false,
      step: "adopt",
    },
    {
      name: "a tie goes to the lower index, here one's own",
      view: view({
        term: term(5, "node1"),
        peers: [peer(2, { said: published({ term: term(5, "node2") }) })],
      }),
      eligible: true,
      step: null,
    },
  ]);
});

describe("promotion when the VIP arrives", () => {
  const arriving = { ...asReplica, vip: "MASTER" } as const;
  const silent = [peer(1, { state: "dead", silentMs: 1200, said: writer1.said })];
  const solo = term(5, "node2");
  check([
    {
      name: "asks the old writer to stop, while it still receives",
      view: view({ ...arriving, server: server({ replica: following }) }),
      eligible: true,
      step: { do: "ask-yield", peer: "node1" },
    },
    {
      name: "does not ask one that is silent",
      view: view({ ...arriving, peers: silent, server: server({ replica: following }) }),
      eligible: true,
      step: "stop-receiver",
    },
    {
      name: "asks once",
      view: view({ ...arriving, yielded: ["node1"], server: server({ replica: following }) }),
      eligible: true,
      step: "stop-receiver",
    },
    {
      name: "a receiver that reconnects is stopped, too",
      view: view({
        ...arriving,
        peers: silent,
        server: server({ replica: { ...following, receiver: "connecting" } }),
      }),
      eligible: true,
      step: "stop-receiver",
    },
    {
      name: "the term is on disk before anything is applied or opened",
      view: view({
        ...arriving,
        peers: silent,
        server: server({ replica: { ...following, receiver: "stopped", pending: true } }),
      }),
      eligible: true,
      step: { do: "record-alone", term: solo },
    },
    {
      name: "applies what was received",
      view: view({
        ...arriving,
        term: solo,
        peers: silent,
        server: server({ replica: { ...following, receiver: "stopped", pending: true } }),
      }),
      eligible: true,
      step: "apply-received",
    },
    {
      name: "then opens",
      view: view({
        ...arriving,
        term: solo,
        peers: silent,
        server: server({ replica: { ...following, receiver: "stopped" } }),
      }),
      eligible: true,
      step: "open",
    },
    {
      name: "never where it is not in sync",
      view: view({ ...arriving, term: term(5, "node1"), server: server({ replica: following }) }),
      eligible: false,
      step: null,
    },
    {
      name: "never where its server restarted since it was found level",
      view: view({ ...arriving, server: server({ life: "L2", replica: following }) }),
      eligible: false,
      step: null,
    },
    {
      name: "never in quarantine",
      view: view({ ...arriving, quarantine: "0-2-7", server: server({ replica: following }) }),
      eligible: false,
      step: null,
    },
    {
      name: "never where something received cannot be applied",
      view: view({
        ...arriving,
        peers: silent,
        server: server({
          replica: {
            ...following,
            receiver: "stopped",
            applier: false,
            pending: true,
            error: "duplicate key",
          },
        }),
      }),
      eligible: false,
      step: null,
    },
  ]);
});

describe("a writer steps back", () => {
  const open = server({ readOnly: false, source: protectedSource });
  check([
    {
      name: "without the VIP",
      view: view({ ...asWriter, vip: "BACKUP", server: open }),
      eligible: true,
      step: "fence",
    },
    {
      name: "with the instance in FAULT",
      view: view({ ...asWriter, vip: "FAULT", server: open }),
      eligible: true,
      step: "fence",
    },
    {
      name: "when asked",
      view: view({ ...asWriter, standDown: true, server: open }),
      eligible: false,
      step: "fence",
    },
    {
      name: "when another holds the term",
      view: view({ ...asReplica, vip: "MASTER", server: open }),
      eligible: false,
      step: "fence",
    },
    {
      name: "not because the agent has just started",
      view: view({ ...asWriter, vip: "UNKNOWN", server: open }),
      eligible: true,
      step: null,
    },
    {
      name: "a replica made writable by hand is closed again",
      view: view({ ...asReplica, server: server({ readOnly: false, replica: following }) }),
      eligible: false,
      step: "fence",
    },
  ]);
});

describe("going on alone", () => {
  const stuck = { ...protectedSource, waiting: 1 };
  const gone = server({ readOnly: false, source: { ...protectedSource, active: false, replicas: 0 } });
  const hangs = server({ readOnly: false, source: stuck });
  const down = [peer(2, { said: published({ state: "down" }) })];
  const dead = [peer(2, { state: "dead", silentMs: 1200, said: replica2.said })];
  const solo = term(5, "node1");
  check([
    {
      name: "a replica whose server died: first the term",
      view: view({ ...asWriter, peers: down, server: gone }),
      eligible: true,
      step: { do: "record-alone", term: solo },
    },
    {
      name: "then the waiting commits",
      view: view({ ...asWriter, term: solo, peers: down, server: gone }),
      eligible: true,
      step: { do: "release", cut: false },
    },
    {
      name: "a replica that lost its power",
      view: view({ ...asWriter, peers: dead, server: hangs, stuckMs: 300 }),
      eligible: true,
      step: "record-alone",
    },
    {
      name: "its connection is cut",
      view: view({ ...asWriter, term: solo, peers: dead, server: hangs, stuckMs: 300 }),
      eligible: true,
      step: { do: "release", cut: true },
    },
    {
      name: "a dead agent beside a server that acknowledges is no reason",
      view: view({ ...asWriter, peers: dead, server: hangs, stuckMs: 50 }),
      eligible: true,
      step: null,
    },
    {
      name: "waiting is no reason while the replica's agent lives",
      view: view({ ...asWriter, server: hangs, stuckMs: 60_000 }),
      eligible: true,
      step: null,
    },
    {
      name: "not without the VIP",
      view: view({ ...asWriter, vip: "UNKNOWN", peers: down, server: gone }),
      eligible: true,
      step: null,
    },
    {
      name: "a quarantined replica",
      view: view({
        ...asWriter,
        peers: [peer(2, { said: published({ state: "quarantined" }) })],
        server: gone,
      }),
      eligible: true,
      step: "record-alone",
    },
    {
      name: "a replica that left the cluster",
      view: view({ ...asWriter, peers: [peer(2, { state: "left" })], server: gone }),
      eligible: true,
      step: "record-alone",
    },
  ]);
});

describe("protecting again", () => {
  const lone = { enabled: true, strict: false, active: false, replicas: 0 };
  const base = { ...asWriter, term: term(5, "node1") } as const;
  check([
    {
      name: "nobody there",
      view: view({ ...base, peers: [], server: server({ readOnly: false, source: lone }) }),
      eligible: true,
      step: null,
    },
    {
      name: "a replica that does not acknowledge yet",
      view: view({ ...base, server: server({ readOnly: false, source: { ...lone, replicas: 1 } }) }),
      eligible: true,
      step: null,
    },
    {
      name: "one that does: protects once it is level",
      view: view({
        ...base,
        server: server({ readOnly: false, source: { ...protectedSource, strict: false } }),
      }),
      eligible: true,
      step: { do: "protect", after: "node2" },
    },
    {
      name: "protected: has it show that it holds everything, then both are in sync",
      view: view({ ...base, server: server({ readOnly: false, source: protectedSource }) }),
      eligible: true,
      step: {
        do: "prove-peer",
        peer: "node2",
        term: term(6, "node1", "node1", "node2"),
      },
    },
    {
      name: "it went away meanwhile: not protected after all",
      view: view({ ...base, peers: [], server: server({ readOnly: false, source: protectedSource }) }),
      eligible: true,
      step: "release",
    },
    {
      name: "it was asked not to take over: nothing to prove",
      view: view({
        ...asWriter,
        peers: [peer(2, { said: published({ follows: "node1", able: false, stands_down: true }) })],
        server: server({ readOnly: false, source: protectedSource }),
      }),
      eligible: true,
      step: null,
    },
    {
      name: "its server restarted: must show it anew, in the same term",
      view: view({
        ...asWriter,
        peers: [peer(2, { said: published({ follows: "node1", able: false }) })],
        server: server({ readOnly: false, source: protectedSource }),
      }),
      eligible: true,
      step: { do: "prove-peer", peer: "node2", term: null },
    },
    {
      name: "semi-sync switched off by hand is put back",
      view: view({
        ...asWriter,
        server: server({ readOnly: false, source: { ...protectedSource, enabled: false } }),
      }),
      eligible: true,
      step: { do: "protect", after: null },
    },
    {
      name: "a timeout set by hand is put back",
      view: view({
        ...asWriter,
        server: server({ readOnly: false, source: { ...protectedSource, strict: false } }),
      }),
      eligible: true,
      step: { do: "protect", after: null },
    },
  ]);
});

describe("a replica", () => {
  check([
    {
      name: "follows a writer that is open",
      view: view({ ...asReplica, server: server({}) }),
      eligible: true,
      step: { do: "follow", peer: "node1" },
    },
    {
      name: "waits for one that is not",
      view: view({ ...asReplica, peers: [peer(1, { said: published({ term: both }) })], server: server({}) }),
      eligible: true,
      step: null,
    },
    {
      name: "holds when all is right",
      view: view({ ...asReplica, server: server({ replica: following }) }),
      eligible: true,
      step: null,
    },
    {
      name: "a receiver stopped by hand is started",
      view: view({ ...asReplica, server: server({ replica: { ...following, receiver: "stopped" } }) }),
      eligible: true,
      step: "follow",
    },
    {
      name: "an applier stopped by hand is started",
      view: view({ ...asReplica, server: server({ replica: { ...following, applier: false } }) }),
      eligible: true,
      step: "follow",
    },
    {
      name: "one that does not acknowledge is connected again",
      view: view({ ...asReplica, server: server({ replica: { ...following, semiSync: false } }) }),
      eligible: true,
      step: "follow",
    },
    {
      name: "of another source changes to the writer",
      view: view({ ...asReplica, server: server({ replica: { ...following, from: "10.0.0.9" } }) }),
      eligible: true,
      step: "follow",
    },
    {
      name: "does not wait for its own acknowledgements",
      view: view({ ...asReplica, server: server({ replica: following, source: { enabled: true } }) }),
      eligible: true,
      step: "fence",
    },
    {
      name: "keeps still while the writer is away",
      view: view({
        ...asReplica,
        peers: [peer(1, { state: "dead" })],
        server: server({ replica: { ...following, receiver: "connecting" } }),
      }),
      eligible: true,
      step: null,
    },
  ]);
});

describe("starting a server that died", () => {
  const died = { server: { down: "startable" } } as const;
  const unable = [peer(2, { said: published({ term: both, state: "down" }) })];
  check([
    { name: "fresh", view: view({ ...died }), eligible: false, step: { do: "start", truncate: false } },
    {
      name: "the only holder of everything keeps all it has",
      view: view({ ...died, term: alone }),
      eligible: false,
      step: { do: "start", truncate: false },
    },
    {
      name: "one that was outrun drops what nobody acknowledged",
      view: view({ ...died, term: term(5, "node2") }),
      eligible: false,
      step: { do: "start", truncate: true },
    },
    {
      name: "a replica keeps all it has",
      view: view({ ...died, ...asReplica, server: died.server }),
      eligible: false,
      step: { do: "start", truncate: false },
    },
    {
      name: "a writer waits for the word of a replica that can take over",
      view: view({ ...died, term: both, peers: [replica2] }),
      eligible: false,
      step: null,
    },
    {
      name: "or whose fate is not known",
      view: view({ ...died, term: both, peers: [peer(2, { state: "dead" })] }),
      eligible: false,
      step: null,
    },
    {
      name: "or that has not said anything yet",
      view: view({ ...died, term: both, peers: [peer(2)] }),
      eligible: false,
      step: null,
    },
    {
      name: "and asks for the term where the replica says that it cannot",
      view: view({ ...died, term: both, peers: unable }),
      eligible: false,
      step: { do: "claim", term: term(5, "node1"), ask: ["node2"] },
    },
    {
      name: "the same when its server runs already",
      view: view({ term: both, proven: "L0", peers: unable }),
      eligible: false,
      step: { do: "claim", ask: ["node2"] },
    },
    {
      name: "one whose replica was removed from the cluster goes on alone",
      view: view({ ...died, term: both, peers: [peer(2, { state: "left" })] }),
      eligible: false,
      step: { do: "claim", term: term(5, "node1"), ask: [] },
    },
    {
      name: "one that does not know its members yet waits",
      view: view({ ...died, term: both, peers: [] }),
      eligible: false,
      step: null,
    },
    {
      name: "one that somebody stopped stays stopped",
      view: view({ server: { down: "stopped" }, term: alone }),
      eligible: false,
      step: null,
    },
    {
      name: "one that hangs is not started",
      view: view({ server: { down: "hung" }, term: alone }),
      eligible: false,
      step: null,
    },
  ]);
});

test("a lone holder is able whatever its server's life", () => {
  expect(isAble(view({ term: alone, proven: null }))).toBe(true);
  expect(isAble(view({ term: both, proven: null }))).toBe(false);
});

describe("granting a term that a peer asks for", () => {
  const node2 = { name: "node2", index: 2 };
  const open = server({ readOnly: false });
  const cases: [string, View, number, boolean][] = [
    ["the first, to a lower index", view({ self: "node3", index: 3 }), 1, true],
    ["the first, not to a higher index than one's own", view({}), 1, false],
    ["the first, where this node cannot serve", view({ server: { down: "startable" } }), 1, true],
    ["not a term that is not newer", view({ term: both }), 4, false],
    ["to one in sync, where this node cannot take over", view({ term: both, proven: "L0" }), 5, true],
    ["not where it can", view({ term: both, proven: "L1" }), 5, false],
    ["not where it writes", view({ term: both, proven: "L0", server: open }), 5, false],
    ["not to one that is not in sync", view({ term: term(4, "node1"), proven: "L0" }), 5, false],
  ];
  for (const [name, node, number, granted] of cases) {
    test(name, () => expect(mayGrant(node, term(number, "node2"), node2)).toBe(granted));
  }
  test("not for somebody else", () => expect(mayGrant(view({}), term(9, "node3"), node2)).toBe(false));
  test("not for two", () => {
    expect(mayGrant(view({ term: both, proven: "L0" }), term(9, "node2", "node2", "node1"), node2)).toBe(
      false,
    );
  });
});
