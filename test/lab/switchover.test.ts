import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chime, verdict } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { startWriters, status, writerOf } from "./pair.ts";
import { byItselfMs, openPair, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

interface Moves {
  moves: { role: string; from: string; to: string; seconds: number }[];
}

/** Planned work: the writer moves because somebody says so. */
describe("switchover", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openPair();
  }, 400_000);
  afterAll(() => lab?.close());

  test("asked on either node, it moves the writer, loses nothing, and the old one replicates", async () => {
    const writers = await startWriters(lab);
    for (const name of ["node1", "node2", "node2"]) {
      const asked: LabNode = lab.node(name);
      const { writer, replica } = await writerOf(lab);
      const at = Date.now();
      const { code, json } = await chime<Moves>(asked, ["switchover"]);
      expect(code).toBe(0);
      expect(json.moves).toMatchObject([{ role: "mysql", from: writer.name, to: replica.name }]);
      const outage = await writers.outageAfter(at, 20_000);
      expect(outage.ms).toBeLessThan(byItselfMs);
      expect((await writerOf(lab)).writer.name).toBe(replica.name);
      await untilProtected(lab);
    }
    const rows = await writers.stop();
    expect(rows.length).toBeGreaterThan(100);
    await writers.untilOn(lab.nodes);
  }, 120_000);

  test("to where it is already it does nothing; to a stranger it is wrong usage", async () => {
    const { writer } = await writerOf(lab);
    const same = await chime<Moves>(writer, ["switchover", "--to", writer.name]);
    expect([same.code, same.json.moves]).toEqual([0, []]);
    expect(verdict(await chime(writer, ["switchover", "--to", "node9"]))).toEqual([
      2,
      "switchover.no_such_node",
    ]);
  });

  test("without a replica in sync it is refused in words, and the writer writes on", async () => {
    const { writer, replica } = await writerOf(lab);
    await replica.powerOff();
    await waitUntil("the writer to go on alone", 20_000, async () => {
      const { problems } = await status(writer);
      return problems.some((problem) => problem.code === "mysql.replica_down");
    });
    const answer = await chime(writer, ["switchover"]);
    expect(verdict(answer)).toEqual([1, "mysql.no_heir"]);
    expect((await status(writer)).roles["mysql"]?.writable).toEqual([writer.name]);
  }, 60_000);
});
