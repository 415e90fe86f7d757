import { expect, test } from "bun:test";
import { drillLine, drillReport, renderDrill } from "../../../src/operations/drill/report.ts";
import { rehearse, type Stage } from "../../../src/operations/drill/run.ts";

/** A stage on which nothing happens but what it is asked for, in `done`. */
function stage(change: Partial<Stage<"kill" | "cut">> = {}) {
  const done: string[] = [];
  const it: Stage<"kill" | "cut"> = {
    async strike(kind) {
      done.push(kind);
      return { victim: "node1", at: Date.now(), settleMs: 0, mend: async () => void done.push("mend") };
    },
    async untilLevel() {
      done.push("level");
    },
    acknowledged: async () => [
      { id: 1, at: Date.now() - 100 },
      { id: 2, at: Date.now() + 100 },
    ],
    ...change,
  };
  return { it, done };
}

test("each fault on a pair that is level, and undone before the next", async () => {
  const { it, done } = stage();
  const rounds = await rehearse(it, ["kill", "cut"], {});
  expect(done).toEqual(["level", "kill", "mend", "level", "cut", "mend", "level"]);
  expect(rounds.map(({ kind, victim }) => [kind, victim])).toEqual([
    ["kill", "node1"],
    ["cut", "node1"],
  ]);
  expect(rounds[0]?.outage.ms).toBeGreaterThan(150);
});

test("interrupted, a fault is undone, and no other begins", async () => {
  const abort = new AbortController();
  const { it, done } = stage({
    acknowledged: async () => {
      abort.abort(new Error("interrupted"));
      return [];
    },
  });
  expect(rehearse(it, ["kill", "cut"], { signal: abort.signal })).rejects.toThrow("interrupted");
  await Bun.sleep(50);
  expect(done).toEqual(["level", "kill", "mend"]);
});

const round = (kind: string, ms: number, ended = true) => ({
  kind,
  victim: "node1",
  outage: { from: 0, to: ms, ms, ended },
  at: 0,
  levelSeconds: 2.04,
});
const none = { misread: 0, conceded: null };
const base = { cluster: "chime", role: "mysql", what: "rows" as const, acknowledged: 1_234, ...none };
const rounds = [round("kill", 210.4), round("switchover", 60), round("kill", 400)];

test("a report: by kind, percentiles and rows", () => {
  const report = drillReport({ ...base, rounds, missing: { node1: 0, node2: 0 } });
  expect(report.passed).toBe(true);
  expect(report.kinds).toEqual({
    kill: { rounds: 2, unended: 0, outage_ms: { p50: 210, p95: 400, p99: 400, max: 400 } },
    switchover: { rounds: 1, unended: 0, outage_ms: { p50: 60, p95: 60, p99: 60, max: 60 } },
  });
  expect(report.rounds[0]).toEqual({
    kind: "kill",
    victim: "node1",
    outage_ms: 210,
    ended: true,
    level_seconds: 2,
  });
  const text = renderDrill(report);
  expect(text).toContain("kill, 2 rounds: p50 210 ms, p95 400 ms, p99 400 ms, max 400 ms\n");
  expect(text).toContain("rows acknowledged 1234, missing on node1: 0, missing on node2: 0");
  expect(drillLine(report)).toBe(
    "2 × kill (p50 210 ms, max 400 ms), 1 × switchover (p50 60 ms, max 60 ms): rows acknowledged 1234, none missing",
  );
});

test.each([
  ["an outage that did not end", [round("kill", 60_000, false)], { node1: 0 }, "1 did not end"],
  ["a row that is missing", rounds, { node1: 0, node2: 3 }, "missing on node2: 3"],
  ["a node that could not be asked", rounds, { node1: null }, "node1: could not be asked"],
])("%s fails the drill, and is said", (_, seen, missing, said) => {
  const report = drillReport({ ...base, rounds: seen, missing });
  expect(report.passed).toBe(false);
  expect(renderDrill(report)).toContain(said);
});

test("what a store's clients read under way counts, too", () => {
  const report = drillReport({ ...base, what: "objects", rounds, missing: { node1: 0 }, misread: 2 });
  expect(report.passed).toBe(false);
  const said = "objects acknowledged 1234";
  expect(renderDrill(report)).toContain(`${said}, missing on node1: 0, read as something else: 2`);
  expect(drillLine(report)).toEndWith(`${said}, none missing, read as something else: 2`);
});

test("what a layout concedes is told apart, and fails nothing", () => {
  const conceded = { older_reads: 2, undeleted: { node1: 0, node2: 1 } };
  const seen = { ...base, what: "objects" as const, rounds, missing: { node1: 0, node2: 0 }, conceded };
  const report = drillReport(seen);
  expect([report.passed, report.conceded]).toEqual([true, conceded]);
  const said = "objects acknowledged 1234";
  const what = "2 reads of an earlier state, 1 deleted that came back on node2";
  expect(renderDrill(report)).toEndWith(
    `${said}, missing on node1: 0, missing on node2: 0\nconceded by two stores that copy to each other: ${what}`,
  );
  expect(drillLine(report)).toEndWith(`${said}, none missing, conceded: ${what}`);
  expect(drillReport({ ...seen, missing: { node1: 0, node2: 1 } }).passed).toBe(false);
  expect(drillReport({ ...seen, misread: 1 }).passed).toBe(false);
});
