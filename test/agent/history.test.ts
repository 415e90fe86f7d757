import { afterAll, expect, test } from "bun:test";
import { appendFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterHistory, newest } from "../../src/agent/cluster-history.ts";
import type { HistoryEvent } from "../../src/agent/event.ts";
import { History } from "../../src/agent/history.ts";
import { member } from "./members.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-history-"));
afterAll(() => rm(directory, { recursive: true, force: true }));

let second = 0;
const clock = { wall: () => Date.UTC(2026, 10, 21) + 1000 * second++ };
const load = (name: string) => History.load(join(directory, name), "node1", clock);

test("what was recorded is there after a restart, with its steps", async () => {
  const history = await load("restart");
  history.record({
    kind: "promotion",
    role: "mysql",
    message: "m",
    seconds: 0.2,
    steps: [{ do: "open", ms: 3 }],
  });
  history.record({ kind: "maintenance", message: "on" });
  await history.flushed();
  const { events } = await load("restart");
  expect(events).toEqual(history.events as HistoryEvent[]);
  expect(events[0]).toMatchObject({
    node: "node1",
    role: "mysql",
    seconds: 0.2,
    steps: [{ do: "open", ms: 3 }],
  });
  expect(events[1]).toMatchObject({ role: null, seconds: null, steps: [] });
  expect((await stat(join(directory, "restart"))).mode & 0o777).toBe(0o600);
});

test("a line that a power cut left unfinished costs itself alone", async () => {
  const history = await load("torn");
  history.record({ kind: "join", message: "one" });
  await history.flushed();
  await appendFile(join(directory, "torn"), '{"at":"2026');
  const again = await load("torn");
  again.record({ kind: "leave", message: "two" });
  await again.flushed();
  expect((await load("torn")).events.map(({ message }) => message)).toEqual(["one", "two"]);
});

test("it stays bounded, on disk and in memory, and keeps the newest", async () => {
  const history = await load("bounded");
  for (let i = 0; i < 1_205; i++) history.record({ kind: "drill", message: `${i} ${"x".repeat(2_000)}` });
  await history.flushed();
  expect(history.events.length).toBe(500);
  const lines = (await readFile(join(directory, "bounded"), "utf8")).trim().split("\n");
  expect(lines.length).toBeLessThanOrEqual(1_000);
  const { events } = await load("bounded");
  expect([events.length, events.at(-1)?.message.slice(0, 5)]).toEqual([500, "1204 "]);
  expect(events.every(({ message }) => message.length <= 500)).toBe(true);
});

test("a file that cannot be written costs the record, not the agent", async () => {
  const history = await History.load(join(directory, "nowhere", "file"), "node1", clock);
  history.record({ kind: "join", message: "m" });
  await history.flushed();
  expect(history.events.length).toBe(1);
});

test("the members' events by time; who is silent or speaks for another is not believed", async () => {
  const history = await load("merged");
  second = 10;
  history.record({ kind: "demotion", message: "mine" });
  const event = (node: string, at: string) => ({
    at,
    node,
    role: null,
    kind: "promotion",
    message: node,
    seconds: null,
    steps: [],
  });
  const answers: Record<string, unknown> = {
    node2: {
      events: [event("node2", "2026-11-21T00:00:09.000Z"), event("node1", "2026-11-21T00:00:01.000Z")],
    },
    node3: { events: "none" },
  };
  const found = await clusterHistory(
    {
      self: member("node1"),
      members: () => [
        member("node1"),
        member("node2"),
        member("node3"),
        member("node4"),
        member("node5", { left: true }),
      ],
      call: async (peer) => answers[peer] ?? Promise.reject(new Error("unreachable")),
    },
    history,
  );
  expect(found.events.map(({ message }) => message)).toEqual(["node2", "mine"]);
  expect(found.silent).toEqual(["node3", "node4"]);
});

test("published are a few, and always each role's last promotion with its steps", async () => {
  const history = await load("published");
  const steps = [{ do: "open", ms: 1 }];
  history.record({ kind: "promotion", role: "mysql", message: "old", steps });
  history.record({ kind: "promotion", role: "mysql", message: "last", steps });
  for (let i = 0; i < 50; i++) history.record({ kind: "demotion", role: "mysql", message: `${i}`, steps });
  const told = newest(history.events);
  expect(told.map(({ message }) => message)).toEqual(["last", "47", "48", "49"]);
  expect(told.map((event) => event.steps.length)).toEqual([1, 0, 0, 0]);
});
