import { expect, test } from "bun:test";
import type { Happening } from "../../../src/roles/happening.ts";
import { Timeline } from "../../../src/roles/mysql/guard/timeline.ts";
import type { Step, View } from "../../../src/roles/mysql/guard/view.ts";
import { peer, published, server, term, view } from "./views.ts";

function watched() {
  const told: Happening[] = [];
  let now = 1_000;
  const timeline = new Timeline({ now: () => now }, (happening) => told.push(happening));
  /** A step that takes so long. */
  const step = (name: string, ms: number, seen: View, done = true, quarantine: string | null = null) => {
    const started = now;
    now += ms;
    timeline.took({ do: name } as Step, seen, done, started, quarantine);
  };
  return { told, timeline, step, pass: (ms: number) => (now += ms) };
}

const reader = view({
  vip: "MASTER",
  term: term(3, "node2", "node2", "node1"),
  peers: [peer(2, { said: published({ state: "down" }) })],
});
const writer = view({ vip: "MASTER", term: term(4, "node1"), server: server({ readOnly: false }) });

test("a promotion: its steps, those that were tried again as one, and the whole since the VIP came", () => {
  const { told, timeline, step, pass } = watched();
  timeline.onVip("MASTER");
  pass(5);
  step("stop-receiver", 2, reader);
  step("ask-votes", 10, reader);
  step("apply-received", 20, { ...reader, term: term(4, "node1") }, false);
  step("apply-received", 3.4, { ...reader, term: term(4, "node1") });
  step("open", 1, { ...reader, term: term(4, "node1") });
  expect(told).toEqual([
    {
      kind: "promotion",
      message: "node1 writes in place of node2, whose server was down",
      seconds: 0.041,
      steps: [
        { do: "stop-receiver", ms: 2 },
        { do: "ask-votes", ms: 10 },
        { do: "apply-received", ms: 23 },
        { do: "open", ms: 1 },
      ],
    },
  ]);
  step("protect", 5, writer);
  expect(told.length).toBe(1);
});

test("one that lost the VIP on the way is none, and the next one starts afresh", () => {
  const { told, timeline, step, pass } = watched();
  timeline.onVip("MASTER");
  step("ask-yield", 900, reader);
  timeline.onVip("BACKUP");
  step("follow", 5, { ...reader, vip: "BACKUP" });
  pass(60_000);
  timeline.onVip("MASTER");
  step("open", 1, { ...reader, term: term(4, "node1") });
  expect(told).toMatchObject([{ seconds: 0.001, message: "node1 writes again", steps: [{ do: "open" }] }]);
});

test.each([
  ["the VIP went", { vip: "BACKUP" as const }, "node1 stopped writing: the VIP went away"],
  ["it was asked to", { standDown: true }, "node1 stopped writing, as it was asked to"],
  ["another writes", { term: term(5, "node2") }, "node1 stopped writing: node2 has a newer term"],
])("a demotion because %s; a replica that is fenced again is none", (_, change, message) => {
  const { told, step } = watched();
  step("fence", 4, { ...writer, ...change });
  step("fence", 4, { ...reader, vip: "BACKUP" });
  expect(told).toMatchObject([{ kind: "demotion", message, seconds: 0.004 }]);
});

test("a quarantine is told once, and again when it comes back", () => {
  const { told, step } = watched();
  const follower = { ...reader, vip: "BACKUP" as const };
  step("follow", 5, follower, true, "0-2-7");
  step("follow", 5, follower, true, "0-2-7");
  expect(told).toEqual([{ kind: "quarantine", message: "node1 stays out: only it holds 0-2-7" }]);
  step("start", 5, view({ server: { down: "startable" } }));
  step("follow", 5, follower, true, "0-2-7");
  expect(told.length).toBe(2);
});
