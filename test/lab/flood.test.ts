import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { FloodKind, FloodResult, FloodSettings } from "./flood-program.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, joinWitness, startWriters, status, writerOf, type Initialized } from "./pair.ts";
import { nothingIsMissing, untilProtected } from "./trial.ts";
import type { Writers } from "./writer.ts";

/** What strangers on the network do to the agents of a pair that serves its clients meanwhile. */
const long = process.env["CHIME_LONG"] !== undefined;

/** Of an agent at rest 45 MiB; nothing that a stranger does may make it grow without end. */
const mostMiB = 150;
/** Of a core, while as much comes in as one machine sends on a busy lab. */
const mostPercent = 50;

interface Cost {
  mib: number;
  seconds: number;
}

/** How often something turned in the cluster, such as a failover. */
async function turns(node: LabNode): Promise<number> {
  const { stdout } = await node.run(["chime-node", "history", "--json"]);
  return stdout.match(/"kind": "(failover|switchover|promotion)"/g)?.length ?? 0;
}

/** Of an agent: proportional memory in MiB, and processor time so far, s. */
async function cost(node: LabNode): Promise<Cost> {
  const pid = await node.mainPid("chime-node");
  const kilobytes = Number(/^Pss:\s+(\d+) kB/m.exec(await node.read(`/proc/${pid}/smaps_rollup`))?.[1]);
  const fields = (await node.read(`/proc/${pid}/stat`)).replace(/^.*\) /, "").split(" ");
  // utime and stime (proc_pid_stat(5)) in ticks of 10 ms, counted from the state behind the name.
  return { mib: kilobytes / 1024, seconds: (Number(fields[11]) + Number(fields[12])) / 100 };
}

describe.skipIf(!long)(`floods at the agents' ports${long ? "" : " (skipped: CHIME_LONG=1)"}`, () => {
  let lab: Lab;
  let created: Initialized;
  let writers: Writers;

  beforeAll(async () => {
    lab = await Lab.open({ prepared: true, nodes: ["node1", "node2", "node3"] });
    // The third one joins in the middle of a flood.
    created = await formPair(lab);
    await untilProtected(lab);
    writers = await startWriters(lab);
  }, 400_000);
  afterAll(() => lab?.close());

  /** Both nodes get it at once. */
  function flood(kind: FloodKind, seconds: number, lanes: number): Promise<FloodResult[]> {
    const argv = [process.execPath, join(import.meta.dir, "flood-program.ts")];
    const each = lab.nodes.slice(0, 2).map(async ({ address }) => {
      const settings: FloodSettings = { kind, address, seconds, lanes };
      const input = JSON.stringify(settings);
      const { stdout } = await lab.client.run(argv, { stdin: input, timeoutMs: (seconds + 30) * 1000 });
      return JSON.parse(stdout) as FloodResult;
    });
    return Promise.all(each);
  }

  /** Runs it, and has `meanwhile` done in its middle. Nothing may come of it but a little work. */
  async function withstand(kind: FloodKind, lanes: number, seconds = 10, meanwhile?: () => Promise<void>) {
    const pair = lab.nodes.slice(0, 2);
    const { writer } = await writerOf(lab);
    const started = `@${Math.floor(Date.now() / 1000)}`;
    const turnsBefore = await Promise.all(pair.map(turns));
    const pids = await Promise.all(pair.map((node) => node.mainPid("chime-node")));
    const before = await Promise.all(pair.map(cost));
    const running = flood(kind, seconds, lanes);
    await Bun.sleep(1_000);
    const asked = performance.now();
    const found = await status(pair[0] as LabNode);
    const statusMs = performance.now() - asked;
    await meanwhile?.();
    const during = await Promise.all(pair.map(cost));
    const results = await running;
    const after = await Promise.all(pair.map(cost));
    for (const [i, node] of pair.entries()) {
      const [a, b, c] = [before[i], during[i], after[i]] as [Cost, Cost, Cost];
      const share = (100 * (c.seconds - a.seconds)) / seconds;
      const mib = [a, b, c].map((one) => one.mib.toFixed(0)).join(" → ");
      console.error(
        `${kind} at ${node.name}: ${results[i]?.sent} connections, PSS ${mib} MiB, ` +
          `${share.toFixed(1)} % of a core, status in ${statusMs.toFixed(0)} ms`,
      );
      expect(Math.max(b.mib, c.mib)).toBeLessThan(mostMiB);
      expect(share).toBeLessThan(mostPercent);
      expect(await turns(node)).toBe(turnsBefore[i] ?? -1);
      const journal = await node.run(["journalctl", "-u", "chime-node", "--since", started, "-o", "cat"]);
      expect(journal.stdout.split("\n").length).toBeLessThan(60);
    }
    expect(await Promise.all(pair.map((node) => node.mainPid("chime-node")))).toEqual(pids);
    expect(found.members.filter(({ state }) => state === "alive").length).toBeGreaterThanOrEqual(2);
    expect((await writerOf(lab)).writer.name).toBe(writer.name);
    return results;
  }

  test("random bytes, and handshakes that are cut: nothing is answered", async () => {
    for (const kind of ["random", "truncated"] as const) {
      for (const { words } of await withstand(kind, 16)) {
        expect(words.join(" ")).not.toMatch(/chime|node1|node2|token|mysql/);
      }
    }
  }, 120_000);

  test("connections that say nothing, or a byte a second", async () => {
    for (const kind of ["half-open", "slow", "slow-frame"] as const) await withstand(kind, 200, 12);
  }, 180_000);

  test("frames larger than any", async () => {
    for (const { words } of await withstand("oversized", 16)) expect(words).toEqual([]);
  }, 120_000);

  test("connections as fast as one machine makes them", async () => {
    await withstand("connections", 64, 15);
  }, 120_000);

  test("joins with a wrong token: a right one still comes in, from another machine", async () => {
    const third = lab.node("node3");
    const results = await withstand("joins", 32, 30, () => joinWitness(third, created.token));
    // Its own name is in its certificate; of the others nothing is said.
    for (const [i, { words }] of results.entries()) {
      expect(words).toContain("token.unknown");
      expect(words.join(" ")).not.toMatch(new RegExp(`node${2 - i}|BEGIN|mysql|hash|admission`));
    }
    expect((await status(third)).members.map(({ state }) => state)).toEqual(["alive", "alive", "alive"]);
  }, 180_000);

  test("clients noticed nothing of it", async () => {
    await nothingIsMissing(lab, writers);
  }, 60_000);
});
