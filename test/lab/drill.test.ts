import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { DrillReport } from "../../src/operations/drill/report.ts";
import { rehearse } from "../../src/operations/drill/run.ts";
import { chime, verdict } from "./chime.ts";
import { faults, labStage, type FaultKind } from "./faults.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, joinWitness, pairOf, startWriters, status } from "./pair.ts";
import { commitTimes, dualMoments, Prober } from "./prober.ts";
import { system } from "./system.ts";
import { byItselfMs, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

let lab: Lab;
let node1: LabNode;
let token: string;
beforeAll(async () => {
  const data = { path: "/var/lib/mysql", sizeMiB: 1_024 };
  lab = await Lab.open({
    prepared: true,
    nodes: [...["node1", "node2"].map((name) => ({ name, data })), "node3"],
  });
  node1 = lab.node("node1");
  ({ token } = await formPair(lab));
  await untilProtected(lab);
}, 400_000);
afterAll(() => lab?.close());

const drill = ["drill", "--role", "mysql"];

async function tables(): Promise<string> {
  return (
    await node1.run([system.client, "-N", "-e", "SHOW TABLES LIKE 'chime_drill'", "chime"])
  ).stdout.trim();
}

/** `history --json`, its drills. */
async function drills(): Promise<string[]> {
  const { json } = await chime<{ events: { kind: string; message: string }[] }>(node1, ["history"]);
  return json.events.filter(({ kind }) => kind === "drill").map(({ message }) => message);
}

describe("chime-node drill, on a cluster that serves", () => {
  test("does nothing without the cluster's name, nor what it cannot undo", async () => {
    const pid = await node1.mainPid(system.unit);
    const asked: [string[], [number, string]][] = [
      [[], [2, "drill.needs_name"]],
      [["--yes"], [2, "drill.needs_name"]],
      [
        ["--cluster", "chimes"],
        [3, "drill.wrong_cluster"],
      ],
      [
        ["--cluster", "chime", "--kind", "kill,power"],
        [3, "drill.not_undoable"],
      ],
      [
        ["--cluster", "chime", "--kind", "fire"],
        [2, "usage.bad_value"],
      ],
    ];
    for (const [flags, wanted] of asked) {
      expect(verdict(await chime(node1, [...drill, ...flags]))).toEqual(wanted);
    }
    expect(verdict(await chime(node1, ["drill", "--role", "witness", "--cluster", "chime"]))).toEqual([
      3,
      "drill.not_served",
    ]);
    expect(await node1.mainPid(system.unit)).toBe(pid);
    expect(await drills()).toEqual([]);
  });

  test("kills and moves the writer, measures, compares, and leaves nothing but a line in the history", async () => {
    const flags = ["--kind", "kill,switchover", "--rounds", "2", "--cluster", "chime"];
    const { code, json } = await chime<DrillReport>(node1, [...drill, ...flags]);
    expect([code, json.passed, json.missing]).toEqual([0, true, { node1: 0, node2: 0 }]);
    expect(json.rounds.map(({ kind }) => kind)).toEqual(["kill", "switchover", "kill", "switchover"]);
    expect(json.acknowledged).toBeGreaterThan(100);
    for (const { outage_ms } of json.rounds) {
      expect(outage_ms).toBeGreaterThan(5);
      expect(outage_ms).toBeLessThan(byItselfMs);
    }
    expect(json.kinds["kill"]?.outage_ms.max).toBe(
      Math.max(...json.rounds.filter(({ kind }) => kind === "kill").map((round) => round.outage_ms)),
    );
    await untilProtected(lab);
    expect(await tables()).toBe("");
    expect(await drills()).toEqual([expect.stringContaining("none missing")]);
  }, 120_000);

  test("Ctrl-C takes its table away; what a killed one left, the next one takes away", async () => {
    const long = [...drill, "--kind", "kill", "--rounds", "50", "--cluster", "chime"];
    const first = node1.start(["chime-node", ...long]);
    await waitUntil("the first round", 60_000, () => first.lines.some((line) => line.includes("without an")));
    first.signal("SIGINT");
    expect(await first.exited).toBe(130);
    await untilProtected(lab);
    expect(await tables()).toBe("");
    expect((await drills()).at(-1)).toContain("ended after 1 of 50");

    const second = node1.start(["chime-node", ...long]);
    await waitUntil("the first round", 60_000, () =>
      second.lines.some((line) => line.includes("without an")),
    );
    second.signal("SIGKILL");
    await second.exited;
    await untilProtected(lab);
    expect(await tables()).toBe("chime_drill");
    // Until its rows are old enough to be nobody's, the killed one counts as under way.
    let answer = await chime<DrillReport>(node1, [...drill, "--rounds", "1", "--cluster", "chime"]);
    await waitUntil("the next drill", 60_000, async () => {
      if (answer.json.error?.code !== "drill.running") return true;
      answer = await chime<DrillReport>(node1, [...drill, "--rounds", "1", "--cluster", "chime"]);
      return false;
    });
    const { code, json } = answer;
    expect([code, json.passed]).toEqual([0, true]);
    await untilProtected(lab);
    expect(await tables()).toBe("");
  }, 120_000);

  test("a pair that is not level is not touched", async () => {
    const node2 = lab.node("node2");
    const { roles } = await status(node1);
    const replica = roles["mysql"]?.writable[0] === "node1" ? node2 : node1;
    const asked = replica === node1 ? node2 : node1;
    await replica.shutdown();
    expect(verdict(await chime(asked, [...drill, "--cluster", "chime"]))).toEqual([3, "drill.not_level"]);
    await replica.boot();
    await untilProtected(lab);
  }, 90_000);
});

/** Rounds of faults under a writer and a prober. The whole matrix is `scripts/bench drills`. */
async function rehearsal(kinds: readonly FaultKind[]): Promise<void> {
  const pair = pairOf(lab);
  const writers = await startWriters(lab, { table: "matrix" });
  const prober = await Prober.start(
    lab,
    pair.map(({ name }) => name),
  );
  const rounds = await rehearse(labStage(lab, writers), kinds, {
    told: ({ kind, outage }) => console.error(`${kind}: ${Math.round(outage.ms)} ms`),
  });
  const rows = await writers.stop();
  const probes = await prober.stop();
  expect(rows.length).toBeGreaterThan(1_000);
  await writers.untilOn(pair);
  expect(probes.length).toBeGreaterThan(1_000);
  expect(dualMoments(probes)).toEqual([]);
  const committed = await commitTimes(node1, writers);
  expect(committed).toHaveLength(rows.length);
  expect(dualMoments(committed)).toEqual([]);
  for (const { kind, outage } of rounds) {
    expect([kind, outage.ended]).toEqual([kind, true]);
    expect(outage.ms).toBeLessThan(20_000);
  }
}

const long = process.env["CHIME_LONG"] !== undefined;

/** Two nodes alone concede what happens when they are cut from each other. */
const betweenNodes: FaultKind[] = ["cut-peer", "deaf-replica", "deaf-writer"];
const all = (Object.keys(faults) as FaultKind[]).filter((kind) => !betweenNodes.includes(kind));
/** Without what mysql.test.ts and votes.test.ts have one at a time, or what takes long. */
const short: FaultKind[] = ["power", "both", "switchover", "hang", "cut"];
const alone = long ? [...all, ...short] : short;
const witnessed: FaultKind[] = long
  ? [...all, ...betweenNodes, ...all, ...betweenNodes]
  : ["kill", ...betweenNodes];

describe(`faults one after the other${long ? "" : ", all of them with --long"}: every outage ends, nothing acknowledged is missing, never two that acknowledge`, () => {
  test(`two nodes alone: ${alone.join(", ")}`, () => rehearsal(alone), 900_000);

  test(`with a witness: ${witnessed.join(", ")}`, async () => {
    await joinWitness(lab.node("node3"), token);
    await rehearsal(witnessed);
  }, 900_000);
});
