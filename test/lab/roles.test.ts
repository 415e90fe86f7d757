import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Status } from "../../src/agent/status.ts";
import { chime } from "./chime.ts";
import { influxdBinary } from "./influxdb-binary.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { initWords, vip, type Initialized } from "./pair.ts";
import { openTwinLab, twinSettings, twinVip } from "./twins.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const influxd = long ? await influxdBinary() : undefined;
const why = influxd ? "" : " (skipped: --long, and Go >= 1.24, Rust and their modules)";

describe.skipIf(!influxd)(`two roles on the same two nodes${why}`, () => {
  let lab: Lab;
  let token: string;
  beforeAll(async () => {
    lab = await openTwinLab(influxd ?? "");
    const words = [...initWords(vip).slice(1), "--vip", `influxdb=${twinVip}`, ...twinSettings()];
    const { json } = await chime<Initialized>(lab.node("node1"), words);
    ({ token } = json);
  }, 180_000);
  afterAll(() => lab?.close());

  const join = async (node: LabNode, roles: string) => {
    const words = ["join", "--role", roles];
    const { code, json } = await chime(node, words, { env: { CHIME_TOKEN: token } });
    expect([code, json.error]).toEqual([0, undefined]);
  };

  test("one run takes both, and a role is taken later on a cluster that serves", async () => {
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    await Promise.all([join(node1, "mysql,influxdb"), join(node2, "mysql")]);
    await join(node2, "influxdb");
    await waitUntil(
      "nothing to be wrong",
      60_000,
      async () => (await chime<Status>(node1, ["status"])).json.healthy,
    );
    const { json } = await chime<Status>(node2, ["status"]);
    expect(json.vips.map(({ role, holders }) => [role, holders.length])).toEqual([
      ["mysql", 1],
      ["influxdb", 1],
    ]);
    expect(json.history.filter(({ kind }) => kind === "promotion")).toHaveLength(1);
    for (const node of lab.nodes) {
      expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
    }
  }, 180_000);

  const holdersOf = async (node: LabNode, role: string) =>
    (await chime<Status>(node, ["status"])).json.vips.find((vip) => vip.role === role)?.holders.join();
  const until = (role: string, holder: string) =>
    waitUntil(`the VIP of ${role} to be on ${holder}`, 150_000, async () => {
      const held = await Promise.all(lab.nodes.map((node) => holdersOf(node, role)));
      return held.every((one) => one === holder);
    });

  test("addresses are spread over the nodes, and go where cluster.toml wishes them; the writer stays", async () => {
    const node1 = lab.node("node1");
    const writer = await holdersOf(node1, "mysql");
    await until("influxdb", "node2");
    await node1.sh(`sed -i '/^\\[roles.influxdb\\]/a prefer = "node1"' /etc/chime-node/cluster.toml`);
    const { stdout } = await node1.run(["chime-node", "plan"]);
    expect(stdout).toMatch(/-\s+priority 100/);
    expect(stdout).toMatch(/\+\s+priority 150/);
    expect((await chime(node1, ["apply", "--yes"])).code).toBe(0);
    await until("influxdb", "node1");
    expect(await holdersOf(node1, "mysql")).toBe(writer as string);
    const { json } = await chime<Status>(node1, ["status"]);
    expect(json.history.filter(({ kind }) => kind === "promotion")).toHaveLength(1);
  }, 400_000);
});
