import { describe, expect, test } from "bun:test";
import { decide, isAble, mayGrantFirst } from "../../../src/roles/mysql/guard/decide.ts";
import type { Step, View } from "../../../src/roles/mysql/guard/view.ts";
import type { GatewayVote } from "../../../src/cluster/vote/standing.ts";
import type { Term } from "../../../src/cluster/vote/term.ts";
import type { Published } from "../../../src/roles/mysql/published.ts";
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
      step: { do: "claim", term: { ...term(1, "node1"), voters: ["node1"], tie: "replica" }, ask: [] },
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
      step: { do: "ask-votes", term: solo },
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
  const waiting = server({ readOnly: false, source: { ...protectedSource, waiting: 1 } });
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
      name: "commits that wait may be acknowledged first",
      view: view({ ...asWriter, vip: "BACKUP", server: waiting, stuckMs: 20 }),
      eligible: true,
      step: "settle",
    },
    {
      name: "those that flow are on their way",
      view: view({ ...asWriter, vip: "BACKUP", server: waiting, flowing: true }),
      eligible: true,
      step: "fence",
    },
    {
      name: "those that the replica will never see die with the server",
      view: view({ ...asWriter, vip: "BACKUP", server: waiting, stuckMs: 200 }),
      eligible: true,
      step: "kill",
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
      step: { do: "ask-votes", term: solo },
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
      step: "ask-votes",
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
      view: view({ ...asWriter, server: hangs, stuckMs: 2_900 }),
      eligible: true,
      step: null,
    },
    {
      name: "but does it hold what waits? Its acknowledgements may have been lost",
      view: view({ ...asWriter, server: hangs, stuckMs: 3_000 }),
      eligible: true,
      step: { do: "prove-peer", peer: "node2", term: null },
    },
    {
      name: "one that holds all of it is left behind, and comes back",
      view: view({ ...asWriter, server: hangs, stuckMs: 3_100, unheard: true }),
      eligible: true,
      step: { do: "ask-votes", term: solo },
    },
    {
      name: "then they are released",
      view: view({ ...asWriter, term: solo, server: hangs, stuckMs: 3_200, unheard: true }),
      eligible: true,
      step: { do: "release", cut: true },
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
      step: "ask-votes",
    },
    {
      name: "a replica that left the cluster",
      view: view({ ...asWriter, peers: [peer(2, { state: "left" })], server: gone }),
      eligible: true,
      step: "ask-votes",
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
      name: "begins nothing while its server is about to be stopped",
      view: view({ ...asReplica, server: server({}), stopping: true }),
      eligible: true,
      step: null,
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
    {
      name: "overruled by an operator: nobody knows what it alone acknowledged, so nothing is cut off",
      view: view({ ...died, term: { ...term(9, "node2"), overruled: ["node1"] } }),
      eligible: false,
      step: { do: "start", truncate: false },
    },
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
      step: { do: "ask-votes", term: term(5, "node1"), alone: false },
    },
    {
      name: "the same when its server runs already",
      view: view({ term: both, proven: "L0", peers: unable }),
      eligible: false,
      step: { do: "ask-votes", alone: false },
    },
    {
      name: "one whose replica was removed from the cluster goes on alone",
      view: view({ ...died, term: both, peers: [peer(2, { state: "left" })] }),
      eligible: false,
      step: { do: "ask-votes", term: term(5, "node1"), alone: false },
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
      view: view({ server: { down: "hung" }, wrote: true, term: alone }),
      eligible: false,
      step: null,
    },
    {
      name: "a writer that hangs and was outrun is killed",
      view: view({ server: { down: "hung" }, wrote: true, term: term(3, "node2") }),
      eligible: false,
      step: { do: "kill" },
    },
    {
      name: "a replica that hangs while it catches up is not",
      view: view({ server: { down: "hung" }, term: term(3, "node2") }),
      eligible: false,
      step: null,
    },
  ]);
});

test("a lone holder is able whatever its server's life", () => {
  expect(isAble(view({ term: alone, proven: null }))).toBe(true);
  expect(isAble(view({ term: both, proven: null }))).toBe(false);
});

describe("a pair with a third voter", () => {
  const three = (one: Term): Term => ({ ...one, voters: ["node1", "node2", "node3"] });
  const alive = [{ name: "node3", state: "alive" as const, silentMs: 50 }];
  const dead = [{ name: "node3", state: "dead" as const, silentMs: 60_000 }];
  const gone = server({ readOnly: false, source: { ...protectedSource, active: false, replicas: 0 } });
  const silent = [peer(2, { state: "dead", silentMs: 1200, said: replica2.said })];
  const cut = { ...asWriter, term: three(both), peers: silent } as const;
  const lone = server({ readOnly: false, source: { enabled: true, strict: false } });
  check([
    {
      name: "a writer without its replica asks for a term alone",
      view: view({ ...cut, server: gone, bystanders: alive }),
      eligible: true,
      step: { do: "ask-votes", term: three(term(5, "node1")), alone: false },
    },
    {
      name: "a writer without any other voter gives up the VIP and stops",
      view: view({ ...cut, server: gone, bystanders: dead }),
      eligible: false,
      step: "kill",
    },
    {
      name: "an idle one finds it out by its replication's heartbeat",
      view: view({
        ...cut,
        peers: [peer(2, { state: "dead", silentMs: 1200, stalled: true, said: replica2.said })],
        server: server({ readOnly: false, source: protectedSource }),
        bystanders: dead,
      }),
      eligible: false,
      step: "kill",
    },
    {
      name: "agents that are silent alone are no reason",
      view: view({ ...cut, server: server({ readOnly: false, source: protectedSource }), bystanders: dead }),
      eligible: true,
      step: null,
    },
    {
      name: "a replica without any other voter is not eligible",
      view: view({
        ...asReplica,
        term: three(both),
        peers: [peer(1, { state: "dead" })],
        bystanders: dead,
        server: server({ replica: following }),
      }),
      eligible: false,
      step: null,
    },
    {
      name: "one that was outrun is killed, with what waits in it",
      view: view({
        ...asReplica,
        vip: "MASTER",
        term: three(term(5, "node1")),
        server: server({ readOnly: false, source: protectedSource }),
      }),
      eligible: false,
      step: "kill",
    },
    {
      name: "a writer whose server restarted goes on if its replica is gone and the third agrees",
      view: view({ ...cut, server: { down: "startable" }, bystanders: alive }),
      eligible: false,
      step: { do: "ask-votes", term: three(term(5, "node1")), alone: false },
    },
    {
      name: "after a start the lone holder has its term confirmed before it opens",
      view: view({ term: three(alone), vip: "MASTER", granted: false, bystanders: alive }),
      eligible: true,
      step: { do: "ask-votes", term: three(alone), alone: false },
    },
    {
      name: "and is not eligible where nobody can",
      view: view({
        term: three(alone),
        vip: "MASTER",
        granted: false,
        bystanders: dead,
        peers: [peer(2, { state: "dead" })],
      }),
      eligible: false,
      step: null,
    },
    {
      name: "the third is named while all is well, and the old voters have their say",
      view: view({
        ...asWriter,
        server: server({ readOnly: false, source: protectedSource }),
        bystanders: alive,
      }),
      eligible: true,
      step: {
        do: "name-voters",
        added: ["node3"],
        term: { ...three(term(5, "node1", "node1", "node2")), old_voters: ["node1", "node2"] },
      },
    },
    {
      name: "then the change is ended",
      view: view({
        ...asWriter,
        term: { ...three(both), old_voters: ["node1", "node2"] },
        server: server({ readOnly: false, source: protectedSource }),
        bystanders: alive,
      }),
      eligible: true,
      step: { do: "ask-votes", term: three(term(5, "node1", "node1", "node2")), alone: false },
    },
    {
      name: "one that left is replaced",
      view: view({
        ...asWriter,
        term: three(term(3, "node1")),
        peers: [peer(2, { said: published({ state: "down" }) })],
        server: lone,
        bystanders: [
          { name: "node3", state: "left", silentMs: 0 },
          { name: "node4", state: "alive", silentMs: 0 },
        ],
      }),
      eligible: true,
      step: { do: "name-voters", added: ["node4"] },
    },
    {
      name: "one that is dead is replaced, by the word of the old voters that live",
      view: view({
        ...asWriter,
        term: three(both),
        server: server({ readOnly: false, source: protectedSource }),
        bystanders: [...dead, { name: "node4", state: "alive", silentMs: 50 }],
      }),
      eligible: true,
      step: { do: "name-voters", added: ["node4"], from: ["node1", "node2"] },
    },
    {
      name: "not at once",
      view: view({
        ...asWriter,
        term: three(both),
        server: server({ readOnly: false, source: protectedSource }),
        bystanders: [
          { name: "node3", state: "dead", silentMs: 2_000 },
          { name: "node4", state: "alive", silentMs: 50 },
        ],
      }),
      eligible: true,
      step: null,
    },
    {
      name: "while it is dead and there is no other, its term is confirmed by the two nodes",
      view: view({
        ...asWriter,
        granted: false,
        term: three(both),
        server: server({ readOnly: false, source: protectedSource }),
        bystanders: dead,
      }),
      eligible: true,
      step: { do: "ask-votes", term: three(both), alone: false },
    },
  ]);
});

describe("two voters alone, one of them silent", () => {
  const gone = server({ readOnly: false, source: { ...protectedSource, active: false, replicas: 0 } });
  const writer = {
    ...asWriter,
    peers: [peer(2, { state: "dead", silentMs: 1200, said: replica2.said })],
    server: gone,
  } as const;
  const replica = {
    ...asReplica,
    vip: "MASTER",
    peers: [peer(1, { state: "dead", silentMs: 1200 })],
    server: server({ replica: { ...following, receiver: "stopped" } }),
  } as const;
  const goes = { do: "ask-votes", alone: true } as const;
  const cases: [tie: Term["tie"], GatewayVote, ofWriter: Case["step"], ofReplica: Case["step"] | "stays"][] =
    [
      ["gateway", "steady", goes, goes],
      ["gateway", "unsure", null, null],
      ["gateway", "lost", "kill", "stays"],
      ["gateway", "back", "kill", "stays"],
      ["gateway", "none", "kill", "stays"],
      ["changing", "steady", "kill", goes],
      ["changing", "none", "kill", "stays"],
      ["replica", "steady", "kill", goes],
      ["replica", "lost", "kill", "stays"],
      ["replica", "back", "kill", goes],
      ["replica", "none", "kill", goes],
    ];
  for (const [tie, vote, ofWriter, ofReplica] of cases) {
    const change = { term: { ...both, tie }, gateway: { answers: true, vote, out: null } };
    check([
      {
        name: `a tie goes to ${tie}, gateway ${vote}: the writer`,
        view: view({ ...writer, ...change }),
        eligible: ofWriter !== "kill",
        step: ofWriter,
      },
      {
        name: `a tie goes to ${tie}, gateway ${vote}: the replica`,
        view: view({ ...replica, ...change }),
        eligible: ofReplica !== "stays",
        step: ofReplica === "stays" ? null : ofReplica,
      },
    ]);
  }
  check([
    {
      name: "a replica whose agent started in the silence stays",
      view: view({ ...replica, heard: [] }),
      eligible: false,
      step: null,
    },
    {
      name: "a writer whose agent started in the silence stops",
      view: view({ ...writer, heard: [] }),
      eligible: false,
      step: "kill",
    },
  ]);
});

describe("two voters agree how a tie is broken", () => {
  const settled = (
    tie: Term["tie"],
    own: boolean | null,
    other: boolean | null,
    change: Partial<View> = {},
  ) =>
    view({
      ...asWriter,
      term: { ...both, tie },
      gateway: { answers: own, vote: "unsure", out: null },
      peers: [peer(2, { said: { ...(replica2.said as Published), gateway: other } })],
      server: server({ readOnly: false, source: protectedSource }),
      ...change,
    });
  const asks = (tie: Term["tie"]) => ({
    do: "ask-votes" as const,
    term: { ...both, term: 5, tie },
    alone: false,
  });
  check([
    { name: "both reach it", view: settled("replica", true, true), eligible: true, step: asks("gateway") },
    { name: "as it is", view: settled("gateway", true, true), eligible: true, step: null },
    { name: "one does not", view: settled("gateway", true, false), eligible: true, step: asks("changing") },
    { name: "then", view: settled("changing", false, true), eligible: true, step: asks("replica") },
    { name: "nor yet", view: settled("replica", false, true), eligible: true, step: null },
    { name: "one does not know", view: settled("gateway", true, null), eligible: true, step: null },
    {
      name: "safe asks nobody",
      view: settled("gateway", true, true, { policy: "safe" }),
      eligible: true,
      step: asks("changing"),
    },
  ]);
});

describe("granting the first term of all", () => {
  const node2 = { index: 2 };
  const cases: [string, View, boolean][] = [
    ["to a lower index", view({ self: "node3", index: 3 }), true],
    ["not to a higher index than one's own", view({}), false],
    ["where this node cannot serve", view({ server: { down: "startable" } }), true],
    ["not where there was one", view({ self: "node3", index: 3, term: both }), false],
  ];
  for (const [name, node, granted] of cases) {
    test(name, () => expect(mayGrantFirst(node, node2)).toBe(granted));
  }
});

describe("the writer by an operator's word", () => {
  const word: Term = { ...term(9, "node1"), overruled: ["node2"] };
  const said = (change: Parameters<typeof published>[0]) => [peer(2, { said: published(change) })];
  const opening = { term: word, proven: "L1", vip: "MASTER" } as const;
  check([
    {
      name: "the old writer lives and has not heard of it",
      view: view({ ...opening, peers: said({ term: both, state: "replica" }) }),
      eligible: true,
      step: null,
    },
    {
      name: "it has heard of it and still writes",
      view: view({ ...opening, peers: said({ term: word, state: "writer" }) }),
      eligible: true,
      step: null,
    },
    {
      name: "it has stopped",
      view: view({ ...opening, peers: said({ term: word, state: "replica" }) }),
      eligible: true,
      step: "open",
    },
    {
      name: "it is silent: the operator has powered it off",
      view: view({ ...opening, peers: [peer(2, { state: "dead" })] }),
      eligible: true,
      step: "open",
    },
  ]);
});

describe("a node that has to be filled anew", () => {
  const behind = { from: "10.0.0.1", error: "Got fatal error 1236 from master when reading data" };
  const damaged = (source: string) => `Relay log write failure: could not queue event from ${source}`;
  const outside = {
    ...asReplica,
    term: alone,
    peers: [peer(1, { said: published({ term: alone, state: "writer" }) })],
  };
  check([
    {
      name: "the writer's logs do not reach back that far: it asks for a copy",
      view: view({ ...outside, server: server({ replica: behind }) }),
      eligible: false,
      step: { do: "rebuild", from: "node1", because: expect.any(String) },
    },
    {
      name: "while the copy comes it does nothing else",
      view: view({ ...outside, server: server({ replica: behind }), rebuild: "a copy" }),
      eligible: false,
      step: null,
    },
    ...["master", "source"].map((source) => ({
      name: `what the writer sends goes on failing its checksum, in a server that says ${source}: it asks for a copy`,
      view: view({ ...outside, server: server({ replica: { from: "10.0.0.1" } }), failing: damaged(source) }),
      eligible: false,
      step: {
        do: "rebuild" as const,
        from: "node1",
        because: `node1's binary log cannot be read (${damaged(source)})`,
      },
    })),
    {
      name: "so it looks where a relay log has no room: no copy would fit either",
      view: view({ ...outside, server: server({}), failing: damaged("master"), full: "only 1 MiB is free" }),
      eligible: false,
      step: "follow",
    },
    {
      name: "whatever else goes on failing is begun anew",
      view: view({ ...outside, server: server({}), failing: "error connecting to master" }),
      eligible: false,
      step: "follow",
    },
    {
      name: "an error of another source is old news: it follows first",
      view: view({ ...outside, server: server({ replica: { ...behind, from: "10.0.0.9" } }) }),
      eligible: false,
      step: "follow",
    },
    {
      name: "one that is in sync can take over while it is copied to",
      view: view({ ...asReplica, server: server({ replica: following }), rebuild: "a copy" }),
      eligible: true,
      step: null,
    },
    {
      name: "extras that nobody can have been told of: rebuilt unasked",
      view: view({ ...outside, quarantine: "0-2-7", untold: true }),
      eligible: false,
      step: { do: "rebuild", from: "node1", because: expect.any(String) },
    },
    {
      name: "extras that somebody may have been told of: it waits for a word",
      view: view({ ...outside, quarantine: "0-2-7" }),
      eligible: false,
      step: null,
    },
    {
      name: "nothing to rebuild from: it waits",
      view: view({ ...outside, quarantine: "0-2-7", untold: true, peers: [peer(1, { state: "dead" })] }),
      eligible: false,
      step: null,
    },
    {
      name: "nothing is started on data that are being replaced",
      view: view({ ...outside, server: { down: "replaced" }, rebuild: "the new data" }),
      eligible: false,
      step: null,
    },
  ]);
});
