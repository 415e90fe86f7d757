import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { buildBinary } from "../../scripts/build.ts";
import type { RotateKeysResult } from "../../src/operations/rotate-keys.ts";
import { chime, verdict } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { initCommand, status, type Initialized } from "./pair.ts";
import { waitUntil } from "./wait.ts";

const file = "/etc/chime-node/pki/gossip.key";

/** `keys rotate` on real agents: a member with the CA and two witnesses. */
describe.skipIf(!process.env["CHIME_LONG"])("gossip's keys (--long)", () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let node3: LabNode;

  beforeAll(async () => {
    const binary = await buildBinary();
    lab = await Lab.open({ nodes: ["node1", "node2", "node3"] });
    [node1, node2, node3] = lab.nodes as [LabNode, LabNode, LabNode];
    for (const node of lab.nodes) await node.install(binary);
    const { json } = await chime<Initialized>(node1, initCommand.slice(1));
    for (const node of [node2, node3]) {
      const env = { CHIME_TOKEN: json.token };
      expect((await chime(node, ["join", "--role", "witness"], { env })).code).toBe(0);
    }
  }, 300_000);
  afterAll(() => lab?.close());

  const keyOf = (node: LabNode) => node.read(file);
  const rotate = (node: LabNode) => chime<RotateKeysResult>(node, ["keys", "rotate", "--yes"]);

  test("are rotated on a member that holds the CA alone, and where the operator says so", async () => {
    expect(verdict(await chime(node1, ["keys", "rotate"]))).toEqual([2, "usage.needs_yes"]);
    expect(verdict(await rotate(node2))).toEqual([3, "keys.witness"]);
  });

  test("are the same on all members afterwards, and nowhere else", async () => {
    const before = await keyOf(node1);
    const { code, json } = await rotate(node1);
    expect([code, json]).toMatchObject([0, { version: 3, away: [] }]);
    console.error(`keys rotate: ${json.seconds} s`);
    const after = await keyOf(node1);
    const { keys } = JSON.parse(after) as { keys: [string] };
    expect(before).not.toContain(keys[0]);
    for (const node of lab.nodes) {
      expect(await keyOf(node)).toBe(after);
      expect((await node.run(["stat", "-c", "%a %U", file])).stdout).toBe("600 root\n");
      for (const key of [before.trim(), keys[0]]) {
        const found = await node.sh(
          `grep -rlF '${key}' /var/lib/chime-node /run/chime-node /var/log || journalctl --no-pager | grep -F '${key}'`,
          { check: false },
        );
        expect([found.code, found.stdout]).toEqual([1, ""]);
      }
    }
    expect((await status(node1)).problems.map(({ code }) => code)).not.toContain("keys.rotating");
  }, 60_000);

  test("come to a member that was away as soon as it is back", async () => {
    await node3.powerOff();
    await waitUntil("it to be missed", 20_000, async () =>
      (await status(node1)).members.some(({ name, state }) => name === "node3" && state === "dead"),
    );
    expect(await rotate(node1)).toMatchObject({ code: 0, json: { version: 6, away: ["node3"] } });
    await node3.boot();
    const key = await keyOf(node1);
    await waitUntil("node3 to have the ring", 30_000, async () => (await keyOf(node3)) === key);
  }, 120_000);

  test("go on to be rotated after the agent that drives it was killed", async () => {
    const running = node1.start(["chime-node", "keys", "rotate", "--yes", "--json"]);
    await waitUntil("the first stage", 20_000, async () => (await keyOf(node1)).includes('"version":7'));
    await node1.kill("chime-node.service");
    await running.exited;
    await waitUntil("the agent", 30_000, async () => (await chime(node1, ["status"])).code !== 1);
    expect(await rotate(node1)).toMatchObject({ code: 0, json: { version: 9, away: [] } });
    expect(new Set(await Promise.all(lab.nodes.map(keyOf))).size).toBe(1);
  }, 120_000);
});
