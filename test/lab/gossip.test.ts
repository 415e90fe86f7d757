import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chime } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { status } from "./pair.ts";
import { waitUntil } from "./wait.ts";
import { formWitnesses, untilSeen, view } from "./witnesses.ts";

const names = Array.from({ length: 12 }, (_, i) => `node${i + 1}`);

describe.skipIf(!process.env["CHIME_LONG"])("twelve agents that have no role in common (--long)", () => {
  let lab: Lab;
  let first: LabNode;
  let last: LabNode;
  beforeAll(async () => {
    lab = await Lab.open({ nodes: names });
    [first, last] = [lab.node("node1"), lab.node("node12")];
    await formWitnesses(lab);
  }, 400_000);
  afterAll(() => lab?.close());

  /** Everybody but those named. */
  const others = (...except: LabNode[]) => lab.nodes.filter((node) => !except.includes(node));

  /** Publishes another spec on a node; resolves when all of these have it. */
  async function untilPublished(on: LabNode, nodes: readonly LabNode[], timeoutMs: number): Promise<void> {
    await on.sh("echo '# edited' >> /etc/chime-node/cluster.toml");
    expect((await chime(on, ["apply", "--yes"])).code).toBe(0);
    const { version } = (await chime<{ spec: { version: number } }>(on, ["status"])).json.spec;
    for (const node of nodes) {
      await waitUntil(`${node.name} to have version ${version}`, timeoutMs, async () => {
        const { json } = await chime<{ spec: { version: number } }>(node, ["status"]);
        return json.spec.version === version;
      });
    }
  }

  /** Nobody is held dead by anybody while `work` goes on. */
  async function nobodyDead(work: () => Promise<unknown>): Promise<void> {
    const dead = new Set<string>();
    const over = new AbortController();
    const watching = (async () => {
      while (!over.signal.aborted) {
        for (const node of [first, lab.node("node6"), last]) {
          for (const [name, state] of Object.entries(await view(node)))
            if (state === "dead") dead.add(`${node.name} of ${name}`);
        }
      }
    })();
    try {
      await work();
    } finally {
      over.abort();
      await watching;
    }
    expect([...dead]).toEqual([]);
  }

  test("all know of all that they live", async () => {
    await untilSeen(lab.nodes, names, "alive", 20_000);
    for (const node of lab.nodes) expect((await status(node)).problems.map(({ code }) => code)).toEqual([]);
  }, 120_000);

  test("a spec that is published is everywhere soon", async () => {
    await untilPublished(first, lab.nodes, 10_000);
  }, 60_000);

  test("one is cut off: all others hold it dead, and alive again once it is back", async () => {
    await last.cutPort("silent");
    await untilSeen(others(last), ["node12"], "dead", 20_000);
    await untilSeen([last], names.slice(0, 11), "dead", 60_000);
    await last.heal();
    await untilSeen(lab.nodes, names, "alive", 30_000);
  }, 180_000);

  test("a tenth of all packets is lost: nobody is held dead, and what changes is known", async () => {
    await lab.network.addFault({ kind: "loss", port: "all", permille: 100 });
    await nobodyDead(async () => {
      await untilPublished(first, lab.nodes, 20_000);
      await Bun.sleep(20_000);
    });
    await lab.network.healAll();
  }, 180_000);

  test("UDP is blocked at one: it says so, is held alive, and hears what changes", async () => {
    const problems = async (node: LabNode) => (await status(node)).problems.map(({ code }) => code);
    await last.sh(
      "nft add table inet lab; nft add chain inet lab in '{ type filter hook input priority 0; }'; nft add rule inet lab in udp dport 8820 drop",
    );
    await nobodyDead(async () => {
      await waitUntil("the problem", 60_000, async () =>
        (await problems(last)).includes("member.udp_blocked"),
      );
      await untilPublished(first, lab.nodes, 20_000);
    });
    expect(await problems(first)).toContain("member.udp_blocked");
    await last.sh("nft delete table inet lab");
    await waitUntil(
      "the problem to go",
      60_000,
      async () => !(await problems(last)).includes("member.udp_blocked"),
    );
  }, 180_000);
});
