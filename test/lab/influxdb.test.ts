import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Status } from "../../src/agent/status.ts";
import type { CompareResult, RepairResult } from "../../src/operations/influxdb.ts";
import type { DeletionResult } from "../../src/roles/influxdb/guard/deleting.ts";
import { chime } from "./chime.ts";
import { influxdBinary } from "./influxdb-binary.ts";
import type { Lab } from "./lab.ts";
import { metric } from "./metrics.ts";
import type { LabNode } from "./node.ts";
import { PointLoad } from "./point-load.ts";
import { readFrom, untilComplete, waitUntilTwins } from "./twin-faults.ts";
import { formTwins, openTwinLab, shown, twinStatus } from "./twins.ts";
import { waitUntil } from "./wait.ts";

const influxd = await influxdBinary();
const why = influxd ? "" : " (skipped: needs Go >= 1.24, Rust and their modules)";

describe.skipIf(!influxd)(`two InfluxDB that clients write to alike${why}`, () => {
  let lab: Lab;
  let load: PointLoad;
  beforeAll(async () => {
    lab = await openTwinLab(influxd ?? "");
    await formTwins(lab, { "roles.influxdb.buckets": "raw:1d" });
    load = await PointLoad.start(lab);
  }, 180_000);
  afterAll(() => lab?.close());

  /** From a node, which has no HTTP client. */
  const writePoint = async (node: LabNode, address: string, line: string) => {
    const { org, bucket, token } = await shown(node);
    const head = [
      `POST /api/v2/write?org=${org}&bucket=${bucket} HTTP/1.0`,
      `Authorization: Token ${token}`,
      `Content-Length: ${line.length}`,
    ];
    const request = [...head, "", line].join("\r\n");
    const talk = 'exec 3<>"/dev/tcp/$1/8086" && printf %s "$2" >&3 && head -n 1 <&3';
    const { stdout } = await node.run(["bash", "-c", talk, "bash", address, request]);
    expect(stdout).toContain(" 204 ");
  };

  const statusOf = async (node: LabNode) => (await chime<Status>(node, ["status"])).json;
  test("both serve with the same tokens, and a plan finds nothing to do", async () => {
    const [one, two] = await Promise.all(lab.nodes.map(shown));
    expect(two).toEqual(one as never);
    expect(one).toMatchObject({
      vip_endpoint: "http://10.77.0.40:8086",
      real_endpoints: "http://10.77.0.11:8086,http://10.77.0.12:8086",
      org: "chime",
      bucket: "chime",
      read_token: expect.stringMatching(/.{20}/),
      write_token: expect.stringMatching(/.{20}/),
    });
    expect((await twinStatus(lab.node("node2"))).nodes).toMatchObject([
      { name: "node1", state: "serving", complete: true },
      { name: "node2", state: "serving", complete: true },
    ]);
    for (const node of lab.nodes) {
      expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
    }
  }, 60_000);

  test("who has no token gets nothing but health pages, at the VIP and at a node", async () => {
    const script = `const of = async (at, path, init) => (await fetch("http://" + at + ":8086" + path, init)).status;
      const post = (body) => ({ method: "POST", body });
      const found = process.argv.slice(1).map((at) => Promise.all([
        of(at, "/api/v2/buckets"), of(at, "/api/v2/query?org=chime", post("buckets()")),
        of(at, "/api/v2/write?org=chime&bucket=chime", post("m f=1")), of(at, "/query?db=chime&q=SHOW+DATABASES"),
        of(at, "/api/v2/authorizations"), of(at, "/health"), of(at, "/ping"), of(at, "/ready"), of(at, "/metrics"),
      ]));
      console.log(JSON.stringify(await Promise.all(found)))`;
    const argv = [process.execPath, "-e", script, "10.77.0.40", lab.node("node1").address];
    const { stdout } = await lab.client.run(argv);
    const refused = [401, 401, 401, 401, 401, 200, 204, 200, 200];
    expect(JSON.parse(stdout)).toEqual([refused, refused]);
  });

  const gone = '_measurement="gone" AND host="a"';
  const day = ["--from", "2026-11-01", "--to", "2026-11-02"];
  const compared = async (node: LabNode) =>
    (await chime<CompareResult>(node, ["influxdb", "compare", ...day, "--contents"])).json;

  /** @param complete by node: whether a node's metrics say that it has everything; of a gap they tell nothing */
  const untilMetrics = (node: LabNode, complete: Record<string, number>) =>
    waitUntil("the metrics to say who has everything", 10_000, async () => {
      const lines = Object.entries(complete).map(
        ([name, value]) => `chime_node_complete{role="influxdb",member="${name}"} ${value}`,
      );
      const told = await metric(node, "chime_node_complete");
      const ratios = await metric(node, "chime_node_gap_filled_ratio");
      return ratios.length === 0 && Bun.deepEquals(told.toSorted(), lines.toSorted());
    });

  const faults = [
    ["kill -9 of the server that is read from", (node: LabNode) => node.kill("influxdb")],
    ["a power cut of the node that is read from", (node: LabNode) => node.powerOff()],
  ] as const;
  for (const [nth, [what, strike]] of faults.entries()) {
    test(`${what}: reads go on at the other one, and what it lacks is filled before it serves again`, async () => {
      await untilComplete(lab);
      const victim = await readFrom(lab);
      for (const { address } of lab.nodes) {
        await writePoint(lab.node("node1"), address, "gone,host=a f=1 1793500000000000000");
      }
      const outage = await load.outageAfter(await strike(victim));
      expect(outage.ended).toBe(true);
      const survivor = await readFrom(lab);
      expect(survivor).not.toBe(victim);
      const deleted = await chime<DeletionResult>(survivor, [
        "influxdb",
        "delete",
        ...day,
        "--where",
        gone,
        "--yes",
      ]);
      expect(deleted).toMatchObject({ code: 0, json: { done: expect.arrayContaining([survivor.name]) } });
      if (!victim.running) {
        await untilMetrics(survivor, { [victim.name]: 0, [survivor.name]: 1 });
        await victim.boot();
      }
      const back = performance.now();
      await waitUntilTwins(lab, "it to be found incomplete, or to be filled already", async () => {
        const { history } = await statusOf(victim);
        return history.some(({ kind, node }) => kind === "gap" && node === victim.name);
      });
      await untilComplete(lab);
      for (const node of lab.nodes) await untilMetrics(node, { [victim.name]: 1, [survivor.name]: 1 });
      // Of what was deleted meanwhile nothing comes back, and nothing of it is left on the other one.
      for (const node of lab.nodes) expect(await compared(node)).toMatchObject({ gaps: [] });
      await writePoint(survivor, survivor.address, `gone,host=back${nth} f=1 1793500000000000000`);
      const lacks = { missing: { [survivor.name]: 0, [victim.name]: 1 }, measurement: "gone" };
      expect((await compared(survivor)).gaps).toMatchObject([lacks]);
      const repaired = await chime<RepairResult>(victim, ["influxdb", "repair", ...day]);
      expect(repaired).toMatchObject({
        code: 0,
        json: { written: { [victim.name]: 1, [survivor.name]: 0 }, left: [] },
      });
      const seconds = Math.round((performance.now() - back) / 100) / 10;
      console.error(`${what}: ${Math.round(outage.ms)} ms without a read, complete in ${seconds} s`);
    }, 900_000);
  }

  test("every point that any server acknowledged is on both, of every type", async () => {
    const { points, misread, missing } = await load.report();
    console.error(`${points} points`);
    expect(points).toBeGreaterThan(1_000);
    expect({ misread, missing }).toEqual({
      misread: 0,
      missing: Object.fromEntries(lab.nodes.map(({ address }) => [address, 0])),
    });
  }, 180_000);
});
