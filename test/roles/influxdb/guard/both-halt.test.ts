import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../../src/core/clock.ts";
import { Deleting, type OtherNode, type Own } from "../../../../src/roles/influxdb/guard/deleting.ts";
import { Filler } from "../../../../src/roles/influxdb/guard/filler.ts";

const limits = { timeoutMs: 5_000 };
const outage = { from: 100_000, to: 110_000, sure: true };

let directory: string;
beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), "chime-both-"))));
afterEach(() => rm(directory, { recursive: true }));

/** A node, as far as it deletes and fills. Nothing answers where its server is: what is to be deleted stays to be. */
function node(name: string) {
  const own: Own = { name, server: { address: "127.0.0.1", port: 1, org: "chime" } };
  const filler = new Filler(systemClock, join(directory, `${name}.fill`));
  const late = () => Promise.resolve();
  const deleting = new Deleting(systemClock, { halt: () => filler.halt(), late }, join(directory, name));
  return { own, filler, deleting };
}
type Node = ReturnType<typeof node>;

const seenFrom = (asker: Node, node: Node): OtherNode => otherOf(node, () => seenFrom(node, asker));
const otherOf = ({ own, deleting }: Node, asker: () => OtherNode): OtherNode => ({
  name: own.name,
  ask: (all) => deleting.told(all, own, asker(), limits),
  stage: () => Promise.resolve(deleting.stage),
  isDeleting: () => Promise.resolve(deleting.isDeleting),
});

test("two that begin to fill while something is to be deleted on both do not wait for each other", async () => {
  const [one, two] = [node("node1"), node("node2")];
  const what = {
    bucket: "chime",
    start: "2026-11-01T00:00:00.000Z",
    stop: "2026-11-02T00:00:00.000Z",
    predicate: "",
  };
  const waiting = { begun: () => {}, awaits: () => {} };
  const asked = one.deleting.delete(what, one.own, seenFrom(one, two), limits, waiting);
  await expect(asked).rejects.toMatchObject({ code: "influxdb.unreachable" });
  const fill = (mine: Node, other: Node) =>
    mine.filler
      .settle(
        outage,
        async () => {
          await mine.deleting.settle(mine.own, seenFrom(mine, other), limits);
          throw new Error("nothing may be filled");
        },
        limits,
      )
      .catch((error: unknown) => (error as { code: string }).code);
  const ended = await Promise.all([fill(one, two), fill(two, one)]);
  // Each was halted by the other one, or found that it is still to be deleted.
  for (const how of ended)
    expect([undefined, "influxdb.delete_pending", "influxdb.unreachable"]).toContain(how as string);
});
