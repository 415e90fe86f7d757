import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Status } from "../../src/agent/status.ts";
import { certify, generateKey } from "../../src/cluster/pki.ts";
import type { RotateAuthorityResult } from "../../src/operations/rotate-authority.ts";
import type { DrillReport } from "../../src/operations/drill/report.ts";
import { serverFiles } from "../../src/roles/influxdb/tls.ts";
import { chime } from "./chime.ts";
import { influxdBinary } from "./influxdb-binary.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { PointLoad } from "./point-load.ts";
import { untilComplete, untilEqual } from "./twin-faults.ts";
import { formTwins, openTwinLab, shown, twinVip } from "./twins.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const influxd = long ? await influxdBinary() : undefined;

describe.skipIf(!influxd)("two InfluxDB over TLS (--long; needs Go >= 1.24, Rust and their modules)", () => {
  let lab: Lab;
  let node1: LabNode;
  let ca: string;
  beforeAll(async () => {
    lab = await openTwinLab(influxd ?? "");
    await formTwins(lab, { "roles.influxdb.tls": "true" });
    node1 = lab.node("node1");
    ca = join(lab.work, "ca.crt");
    const { ca_file: file = "" } = await shown(node1);
    await Bun.write(ca, await node1.read(file));
  }, 240_000);
  afterAll(() => lab?.close());

  const curl = (...words: string[]) =>
    lab.client.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", ...words], {
      check: false,
    });
  const runs = () =>
    Promise.all(
      lab.nodes.map(
        async (node) => (await node.run(["systemctl", "show", "-p", "InvocationID", "influxdb"])).stdout,
      ),
    );
  const statusOf = async (node: LabNode) => (await chime<Status>(node, ["status"])).json;
  const holder = async () => lab.node((await statusOf(node1)).vips[0]?.holders[0] ?? "");

  /** Whoever reads meets at no time an address without a server that has everything. */
  const underLoad = async (work: () => Promise<void>): Promise<number> => {
    const load = await PointLoad.start(lab);
    const began = Date.now();
    await work();
    await untilComplete(lab);
    const { ms } = await load.outageAfter(began);
    const { misread, missing, points } = await load.report();
    expect({ misread, missing }).toEqual({
      misread: 0,
      missing: Object.fromEntries(lab.nodes.map(({ address }) => [address, 0])),
    });
    expect(points).toBeGreaterThan(1_000);
    return ms;
  };

  test("who trusts the cluster's CA is served by the VIP and by each node; plain HTTP is refused", async () => {
    const { vip_endpoint: vip, real_endpoints: real, token } = await shown(node1);
    expect([vip, real]).toEqual([
      `https://${twinVip}:8086`,
      lab.nodes.map(({ address }) => `https://${address}:8086`).join(","),
    ]);
    for (const url of [vip, ...real.split(",")]) {
      const words = ["-H", `Authorization: Token ${token}`, `${url}/api/v2/buckets`];
      expect((await curl("--cacert", ca, ...words)).stdout).toBe("200");
      expect((await curl(...words)).code).toBe(60);
      expect((await curl(url.replace("https", "http"))).stdout).toBe("400");
    }
    for (const node of lab.nodes) {
      expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
    }
  }, 60_000);

  test("a server that is killed is filled by TLS, and nothing that was acknowledged is missing", async () => {
    const ms = await underLoad(async () => {
      await (await holder()).kill("influxdb");
    });
    console.error(`kill -9 of the server that is read from: ${Math.round(ms)} ms without a read`);
  }, 360_000);

  test("chime-node's own clients verify the servers, too: a drill, and what is made for Telegraf", async () => {
    await untilComplete(lab);
    const words = ["drill", "--role", "influxdb", "--kind", "kill", "--rounds", "1", "--cluster", "chime"];
    const { json } = await chime<DrillReport>(node1, words);
    expect(json).toMatchObject({ passed: true, misread: 0, missing: { node1: 0, node2: 0 } });
    const { stdout } = await node1.run(["chime-node", "influxdb", "telegraf"]);
    expect([stdout.match(/urls = \["https:/g)?.length, stdout.match(/tls_ca = /g)?.length]).toEqual([2, 2]);
  }, 180_000);

  /** Puts one there that ends in two weeks, as after two years. */
  const age = async (node: LabNode) => {
    const [cert, key] = await Promise.all(
      ["crt", "key"].map((kind) => node.read(`/etc/chime-node/pki/ca.${kind}`)),
    );
    const { id } = await chime<Status>(node, ["status"]).then(({ json }) => json.cluster);
    const own = generateKey();
    const subject = {
      cluster: { name: "chime", id },
      commonName: `${node.name}.chime.com`,
      publicKey: own.publicKey,
      alternativeNames: [`${node.name}.chime.com`, node.address, twinVip],
    };
    const at = Date.now() - 716 * 86_400_000;
    await writeFile(node.path(serverFiles.cert), certify({ cert: cert ?? "", key: key ?? "" }, subject, at));
    await writeFile(node.path(serverFiles.key), own.privateKey);
  };

  test("certificates that end soon are replaced, and the servers restarted one by one, by nobody's hand; reads go on", async () => {
    const before = await runs();
    const ms = await underLoad(async () => {
      await Promise.all(lab.nodes.map(age));
      // It looks once a day, and when it starts.
      for (const node of lab.nodes) await node.run(["systemctl", "restart", "chime-node"]);
      // Each is compared before it is left alone with the clients, which takes a busy machine minutes.
      await waitUntil("both to be restarted", 240_000, async () =>
        (await runs()).every((run, nth) => run !== before[nth]),
      );
    });
    console.error(`new certificates: ${Math.round(ms)} ms without a read`);
    const ends = await Promise.all(
      lab.nodes.map(async (node) =>
        Date.parse(new X509Certificate(await node.read(serverFiles.cert)).validTo),
      ),
    );
    for (const end of ends) expect(end).toBeGreaterThan(Date.now() + 700 * 86_400_000);
    for (const { address } of lab.nodes) {
      expect((await curl("--cacert", ca, `https://${address}:8086/ping`)).stdout).toBe("204");
    }
  }, 600_000);

  test("another CA takes the place of the cluster's: clients have time for its certificate, and the servers are restarted one by one", async () => {
    const rotate = (...more: string[]) =>
      chime<RotateAuthorityResult>(node1, ["ca", "rotate", "--yes", ...more]);
    const ping = async (authority: string) => {
      const trusted = join(lab.work, "trusted.crt");
      await Bun.write(trusted, authority);
      const of = lab.nodes.map(({ address }) => curl("--cacert", trusted, `https://${address}:8086/ping`));
      return (await Promise.all(of)).map(({ stdout }) => stdout);
    };
    const before = await node1.read("/etc/chime-node/pki/ca.crt");
    const started = await runs();
    expect(await rotate()).toMatchObject({ code: 0, json: { stage: 2, away: [] } });
    const both = await node1.read(serverFiles.ca);
    expect([await ping(before), await ping(both)]).toEqual([
      ["204", "204"],
      ["204", "204"],
    ]);
    expect(await runs()).toEqual(started);
    const ms = await underLoad(async () => {
      const { code, json } = await rotate("--finish");
      expect([code, json]).toMatchObject([0, { stage: null, away: [] }]);
      console.error(`ca rotate --finish with two InfluxDB over TLS: ${json.seconds} s`);
    });
    console.error(`the new CA: ${Math.round(ms)} ms without a read`);
    expect((await runs()).every((run, nth) => run !== started[nth])).toBe(true);
    const after = await node1.read("/etc/chime-node/pki/ca.crt");
    expect([await ping(before), await ping(after)]).toEqual([
      ["000", "000"],
      ["204", "204"],
    ]);
  }, 400_000);
});

describe.skipIf(!influxd)("two InfluxDB that get TLS while they serve, and lose it again (--long)", () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  beforeAll(async () => {
    lab = await openTwinLab(influxd ?? "");
    await formTwins(lab);
    [node1, node2] = [lab.node("node1"), lab.node("node2")];
    await untilComplete(lab);
  }, 240_000);
  afterAll(() => lab?.close());

  /** In the last table of the file. */
  const edit = (tls: boolean) => {
    const line = `/^\\[roles.influxdb]/,$ s/^#* *tls *= *[a-z]* */tls = ${tls} /`;
    return node1.run(["sed", "-i", line, "/etc/chime-node/cluster.toml"]);
  };
  const apply = async (node: LabNode) => {
    const { code, json } = await chime<{ changes: { resource: string }[] }>(node, ["apply", "--yes"]);
    expect([code, json.error]).toEqual([0, undefined]);
    expect(json.changes.map(({ resource }) => resource)).toContain("service:influxdb.service");
  };
  const schemes = async () => {
    const { vip_endpoint: vip, real_endpoints: real } = await shown(node1);
    return [vip, ...real.split(",")].map((url) => url.split(":")[0]);
  };

  test.each([
    [false, true],
    [true, false],
  ])(
    "from %p to %p: one server after the other, and whoever speaks both is always answered",
    async (from, to) => {
      const { token } = await shown(node1);
      const ca = join(lab.work, "cluster-ca.crt");
      await Bun.write(ca, await node1.read("/etc/chime-node/pki/ca.crt"));
      const reader = lab.client.start([process.execPath, join(import.meta.dir, "either-program.ts")], {
        stdin: JSON.stringify({ address: twinVip, ca: await Bun.file(ca).text(), token, org: "chime" }),
      });
      await waitUntil("the first answer", 30_000, () => Promise.resolve(reader.lines.length > 0));
      await edit(to);
      const { stdout } = await node1.run(["chime-node", "plan"]);
      expect(stdout).toContain("service:influxdb.service");
      const before = await schemes();
      for (const node of lab.nodes) await apply(node);
      await untilComplete(lab);
      await untilEqual(lab);
      reader.signal("SIGTERM");
      await reader.exited;
      const gaps = reader.lines.map(Number).filter((ms) => ms >= 0);
      console.error(`TLS ${from} → ${to}: ${gaps.length} answers, the longest gap ${Math.max(...gaps)} ms`);
      expect(Math.max(...gaps)).toBeLessThan(2_000);
      const [was, is] = [from, to].map((tls) => (tls ? "https" : "http"));
      expect([before, await schemes()]).toEqual([
        [was, was, was],
        [is, is, is],
      ] as never);
      for (const node of lab.nodes) {
        expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
      }
    },
    300_000,
  );

  test("a server is not restarted while the other one lacks points: apply waits, and goes on by itself", async () => {
    await node2.run(["systemctl", "stop", "influxdb", "chime-node"]);
    await edit(true);
    const before = await node1.run(["systemctl", "show", "-p", "InvocationID", "influxdb"]);
    const waiting = node1.start(["chime-node", "apply", "--yes"]);
    await waitUntil("it to say whom it waits for", 60_000, () =>
      Promise.resolve(waiting.lines.some((line) => line.includes("waiting for node2"))),
    );
    expect(await node1.run(["systemctl", "show", "-p", "InvocationID", "influxdb"])).toEqual(before);
    await node2.run(["systemctl", "start", "chime-node"]);
    await waiting.exited;
    expect(await node1.run(["systemctl", "show", "-p", "InvocationID", "influxdb"])).not.toEqual(before);
    await apply(node2);
    await untilComplete(lab);
  }, 300_000);
});
