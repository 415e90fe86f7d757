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

  /** What the agent of a node says of its datagrams, as any member's status tells it. */
  async function blockage(on: LabNode, of: LabNode): Promise<string> {
    const { problems } = await status(on);
    return (
      problems.find(({ code, node }) => code === "member.udp_blocked" && node === of.name)?.message ?? ""
    );
  }

  const untilSaid = (what: string) =>
    waitUntil(what || "nothing", 60_000, async () =>
      what === "" ? (await blockage(last, last)) === "" : (await blockage(last, last)).includes(what),
    );

  test.each([
    ["comes in", "input", "dport", "no datagram of the other members comes in"],
    ["gets out", "output", "sport", "none that it sends is answered"],
  ])(
    "no datagram %s at one: it says so, is held alive, and hears what changes",
    async (_, hook, port, message) => {
      const chain = `nft add chain inet lab c '{ type filter hook ${hook} priority 0; }'`;
      await last.sh(`nft add table inet lab; ${chain}; nft add rule inet lab c udp ${port} 8820 drop`);
      await nobodyDead(async () => {
        await untilSaid(message);
        await untilPublished(first, lab.nodes, 20_000);
      });
      expect(await blockage(first, last)).toContain(message);
      await last.sh("nft delete table inet lab");
      await untilSaid("");
    },
    180_000,
  );

  test("its UDP port is taken when one starts: it says so, does its part, and has it as soon as it is free", async () => {
    await last.sh("systemctl stop chime-node");
    const take =
      "use Socket; socket(S, PF_INET, SOCK_DGRAM, 17); bind(S, sockaddr_in(8820, INADDR_ANY)) or die; sleep";
    await last.run(["systemd-run", "--unit=taker", "perl", "-e", take]);
    await waitUntil("the port to be taken", 30_000, async () =>
      (await last.sh("ss -Hlun 'sport = :8820'")).stdout.includes("8820"),
    );
    await last.sh("systemctl start chime-node");
    await untilSaid("another program has UDP port 8820");
    await untilSeen(lab.nodes, names, "alive", 30_000);
    await untilPublished(first, lab.nodes, 20_000);
    await last.sh("systemctl stop taker");
    await untilSaid("");
    expect((await last.sh("ss -Hlunp 'sport = :8820'")).stdout).toContain("chime-node");
  }, 180_000);
});
