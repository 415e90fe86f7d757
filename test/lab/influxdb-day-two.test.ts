import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Status } from "../../src/agent/status.ts";
import type { TwinStatus } from "../../src/roles/types.ts";
import type { CompareResult, RepairResult } from "../../src/operations/influxdb.ts";
import type { OutcomeJson } from "../../src/plan/render.ts";
import { chime } from "./chime.ts";
import { influxdBinary } from "./influxdb-binary.ts";
import type { Lab } from "./lab.ts";
import { metric } from "./metrics.ts";
import type { LabNode } from "./node.ts";
import { PointLoad } from "./point-load.ts";
import { readFrom, untilComplete } from "./twin-faults.ts";
import { formTwins, openTwinLab, recordOf, shown, twinStatus } from "./twins.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const influxd = long ? await influxdBinary() : undefined;
const why = influxd ? "" : " (skipped: --long, and Go >= 1.24, Rust and their modules)";

const data = "/var/lib/influxdb";

/** An authorization, as the server tells it. */
interface Made {
  id: string;
  description: string;
  token: string;
  orgID: string;
  permissions: unknown;
}

describe.skipIf(!influxd)(`two InfluxDB on bad days${why}`, () => {
  let lab: Lab;
  let load: PointLoad;
  beforeAll(async () => {
    const disk = { path: data, sizeMiB: 512 };
    lab = await openTwinLab(influxd ?? "", { nodes: ["node1", { name: "node2", data: disk }] });
    await formTwins(lab);
    load = await PointLoad.start(lab);
  }, 180_000);
  afterAll(() => lab?.close());

  const statusOf = async (node: LabNode) => (await chime<Status>(node, ["status"])).json;
  const historyOf = async (node: LabNode) =>
    (await chime<{ events: Status["history"] }>(node, ["history"])).json.events;
  const untilProblem = (code: string) =>
    waitUntil(`${code} to be said`, 60_000, async () =>
      (await statusOf(lab.node("node1"))).problems.some((problem) => problem.code === code),
    );

  test("a full disk is said, and once there is room the server is restarted and filled", async () => {
    await untilComplete(lab);
    const node2 = lab.node("node2");
    const free = await node2.fillDisk(data);
    await untilProblem("influxdb.disk_full");
    await free();
    await untilComplete(lab);
    const events = await historyOf(node2);
    expect(events.some(({ message }) => message.includes("is restarted"))).toBe(true);
  }, 200_000);

  test("a disk that an error made read-only is said, and after a boot its server is filled", async () => {
    await untilComplete(lab);
    const node2 = lab.node("node2");
    await node2.failDisk();
    await untilProblem("influxdb.read_only");
    const { problems } = await statusOf(lab.node("node1"));
    expect(problems.find(({ code }) => code === "influxdb.read_only")).toMatchObject({
      node: "node2",
      message: expect.stringContaining(data),
    });
    await waitUntil("clients to read from node1", 30_000, async () => (await readFrom(lab)).name === "node1");
    await node2.powerOff();
    await node2.boot();
    await untilComplete(lab);
  }, 400_000);

  test("a server whose data are gone gets the other one's metadata and all points", async () => {
    await untilComplete(lab);
    const node2 = lab.node("node2");
    await node2.sh(`systemctl kill --signal=KILL influxdb; rm -rf ${data}/engine ${data}/influxd.*`);
    await untilProblem("influxdb.gap");
    await untilComplete(lab);
  }, 200_000);

  test("applications get other tokens by hand: made on one server, the other one is built anew from it", async () => {
    await untilComplete(lab);
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    const before = await shown(node1);
    const ask = async (node: LabNode, path: string, ...words: string[]) => {
      const url = `http://${node.address}:8086/api/v2/${path}`;
      const argv = ["curl", "-sSf", "-H", `Authorization: Token ${before.token}`, url, ...words];
      return (await lab.client.run(argv)).stdout;
    };
    const listed = async () => {
      const all = JSON.parse(await ask(node1, "authorizations")) as { authorizations: Made[] };
      return all.authorizations;
    };
    const old = (await listed()).filter(({ token }) =>
      [before.read_token, before.write_token].includes(token),
    );
    const made: Made[] = [];
    for (const { description, orgID, permissions } of old) {
      const body = JSON.stringify({ description, orgID, permissions });
      made.push(JSON.parse(await ask(node1, "authorizations", "--data-binary", body)) as Made);
    }
    await node2.run(["chime-node", "maintenance", "on", "--yes"]);
    await node2.sh(`systemctl stop influxdb; rm -rf ${data}/engine ${data}/influxd.*`);
    await node2.run(["chime-node", "maintenance", "off", "--yes"]);
    await untilComplete(lab);
    for (const { id } of old)
      for (const node of lab.nodes) await ask(node, `authorizations/${id}`, "-X", "DELETE");
    for (const node of lab.nodes) await node.run(["systemctl", "restart", "chime-node"]);
    const tokens = (kind: string) =>
      made.filter(({ description }) => description.includes(kind)).map(({ token }) => token);
    await waitUntil("both to tell the new ones", 60_000, async () => {
      const all = await Promise.all(lab.nodes.map(shown));
      return all.every(
        (one) => one.read_token === tokens("read")[0] && one.write_token === tokens("write")[0],
      );
    });
    for (const { address } of lab.nodes) {
      const codes = [before.write_token, ...tokens("write")].map(async (token) => {
        const url = `http://${address}:8086/api/v2/write?org=${before.org}&bucket=${before.bucket}`;
        const argv = [
          "curl",
          "-sS",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          "-H",
          `Authorization: Token ${token}`,
        ];
        return (await lab.client.run([...argv, url, "--data-binary", `token f=1 ${Date.now()}000000`]))
          .stdout;
      });
      expect(await Promise.all(codes)).toEqual(["401", "204"]);
    }
  }, 400_000);

  test("the administrator's token is deleted on one server: told as that, and what is told to do brings it back", async () => {
    await untilComplete(lab);
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    const { token } = await shown(node1);
    const curl = ["curl", "-sSf", "-H", `Authorization: Token ${token}`];
    const url = `http://${node2.address}:8086/api/v2/authorizations`;
    const { stdout } = await lab.client.run([...curl, url]);
    const { authorizations } = JSON.parse(stdout) as { authorizations: Made[] };
    const own = authorizations.find((one) => one.token === token);
    await lab.client.run([...curl, "-X", "DELETE", `${url}/${own?.id}`]);
    await waitUntil("it to be told", 60_000, async () =>
      (await statusOf(node1)).problems.some(
        ({ node, message, remedy }) =>
          node === "node2" &&
          message.includes("refuses the administrator's token") &&
          remedy.includes("build it anew from node1: chime-node maintenance on;"),
      ),
    );
    await node2.run(["chime-node", "maintenance", "on", "--yes"]);
    await node2.sh(`systemctl stop influxdb; rm -rf ${data}/engine ${data}/influxd.*`);
    await node2.run(["chime-node", "maintenance", "off", "--yes"]);
    await untilComplete(lab);
  }, 200_000);

  test("a bucket that is deleted on one server, and made again by apply, gets its points of all times", async () => {
    await untilComplete(lab);
    const node2 = lab.node("node2");
    const { org, bucket, token } = await shown(node2);
    const curl = ["curl", "-sSf", "-H", `Authorization: Token ${token}`];
    const old = (Date.now() - 30 * 86_400_000) * 1e6;
    const lines = Array.from({ length: 1_000 }, (_, nth) => `history f=${nth} ${old + nth * 1e9}`);
    for (const { address } of lab.nodes) {
      const url = `http://${address}:8086/api/v2/write?org=${org}&bucket=${bucket}`;
      await lab.client.run([...curl, "--data-binary", "@-", url], { stdin: lines.join("\n") });
    }
    const url = `http://${node2.address}:8086/api/v2/buckets`;
    // Nothing is compared meanwhile but the last minutes.
    await waitUntil("all times to be compared", 120_000, async () => {
      const records = await Promise.all(lab.nodes.map((node) => recordOf(node)));
      return records.every(({ outages }) => outages.every(({ hint }) => hint === "routine"));
    });
    const { stdout } = await lab.client.run([...curl, `${url}?org=${org}&name=${bucket}`]);
    const { buckets } = JSON.parse(stdout) as { buckets: { id: string }[] };
    await lab.client.run([...curl, "-X", "DELETE", `${url}/${buckets[0]?.id}`]);
    expect((await chime(node2, ["apply", "--role", "influxdb", "--yes"])).code).toBe(0);
    const count = `http://${node2.address}:8086/query?db=${bucket}&rp=autogen`;
    // Behind all of today's, of which there are as many as the load has written by now.
    await waitUntil("its points of a month ago to be there", 240_000, async () => {
      const q = "q=SELECT count(f) FROM history";
      const told = await lab.client.run([...curl, "--data-urlencode", q, count], { check: false });
      return told.stdout.includes(",1000]");
    });
  }, 420_000);

  test("an agent that is killed while it fills goes on", async () => {
    await untilComplete(lab);
    const node2 = lab.node("node2");
    await node2.kill("influxdb");
    await untilProblem("influxdb.gap");
    await node2.kill("chime-node");
    await untilComplete(lab);
  }, 200_000);

  test("a program that ends when it is started is taken back, and told as the one that runs", async () => {
    await untilComplete(lab);
    const node2 = lab.node("node2");
    const hashes = async () => (await twinStatus(node2)).nodes.map(({ binary_sha256: hash }) => hash);
    const before = await hashes();
    await node2.sh("mv /root/influxd /root/influxd.good; cp /bin/false /root/influxd");
    for (const nth of ["once", "again"]) {
      const { json } = await chime<OutcomeJson>(node2, ["apply", "--role", "influxdb", "--yes"]);
      const message = expect.stringContaining("influxd.sha256 put back as before");
      expect([nth, json.errors]).toMatchObject([nth, [{ code: "service.refused", message }]]);
      await node2.sh("cmp /root/influxd.good /usr/local/lib/chime-node/influxd");
      await untilComplete(lab);
      expect(await hashes()).toEqual(before);
    }
    await node2.sh("mv /root/influxd.good /root/influxd");
    expect((await chime(node2, ["apply", "--role", "influxdb"])).json).toMatchObject({ changes: [] });
  }, 300_000);

  test("an agent that is restarted on the node that is read from moves nothing", async () => {
    await untilComplete(lab);
    const node = await readFrom(lab);
    const before = Date.now();
    await node.run(["systemctl", "restart", "chime-node"]);
    const isWell = async () => (await recordOf(node)).wellAt > before;
    await waitUntil("its new agent to find the server well", 60_000, isWell);
    const show = ["systemctl", "show", "--property=InvocationID", "--value", "chime-node"];
    const { stdout: run } = await node.run(show);
    const { stdout } = await node.run(["journalctl", `_SYSTEMD_INVOCATION_ID=${run.trim()}`]);
    expect(stdout).toContain("guarding influxdb");
    expect(stdout).not.toMatch(/VIP influxdb: (this node is not|MASTER)/);
  }, 200_000);

  test("both were away, one after the other: each gets what it lacks", async () => {
    await untilComplete(lab);
    for (const node of lab.nodes) await node.kill("influxdb");
    await untilComplete(lab);
  }, 200_000);

  test("a node that is cut off has a gap, whatever its server says", async () => {
    await untilComplete(lab);
    const node1 = lab.node("node1");
    const gaps = async () =>
      (await historyOf(node1)).filter(({ kind, node }) => kind === "gap" && node === "node1").length;
    const before = await gaps();
    await node1.cutPort("silent");
    await waitUntil("it to be missed", 30_000, async () =>
      (await statusOf(lab.node("node2"))).problems.some(({ code }) => code === "member.dead"),
    );
    // Before, clients' writes may wait for the cut to end, and nothing is missing.
    await waitUntil("it to know that nobody reaches it", 30_000, async () =>
      (await recordOf(node1)).outages.some(({ to, sure }) => sure && to === null),
    );
    await node1.heal();
    // On a quiet machine it is filled again within a second.
    await waitUntil("it to be found incomplete", 60_000, async () => (await gaps()) > before);
    await untilComplete(lab);
  }, 200_000);

  test("a server that answers slowly: what each lacks as much of as the other one is found, too", async () => {
    await untilComplete(lab);
    const { org, bucket, token } = await shown(lab.node("node1"));
    const node = await readFrom(lab);
    let at = 0;
    await waitUntil("a slow answer to be noted", 90_000, async () => {
      at = Date.now();
      for (const [nth, { address }] of lab.nodes.entries()) {
        const url = `http://${address}:8086/api/v2/write?org=${org}&bucket=${bucket}`;
        const line = `torn f=${nth} ${at}${nth}00000`;
        await lab.client.run([
          "curl",
          "-sSf",
          "-H",
          `Authorization: Token ${token}`,
          url,
          "--data-binary",
          line,
        ]);
      }
      // Shorter than two looks at the server that are in vain: no outage.
      await node.pause("influxdb");
      await Bun.sleep(900);
      await node.resume("influxdb");
      await Bun.sleep(300);
      return (await recordOf(node)).outages.some(({ hint }) => hint === "slow");
    });
    const range = ["--from", new Date(at).toISOString(), "--to", new Date(at + 1).toISOString()];
    await waitUntil("both to have both", 60_000, async () => {
      const words = ["influxdb", "compare", "--contents", ...range];
      return (await chime<CompareResult>(node, words)).json.gaps?.length === 0;
    });
  }, 250_000);

  test("of a repair on one node and a deletion on the other, begun at once, one is refused", async () => {
    await untilComplete(lab);
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    const day = ["--from", "2026-11-01", "--to", "2026-11-02", "--where", '_measurement="none"', "--yes"];
    const repair = () => chime<RepairResult>(node1, ["influxdb", "repair", "--contents"]);
    const remove = () => chime(node2, ["influxdb", "delete", ...day]);
    const refusals = ["3 influxdb.repairing node1", "3 influxdb.deleting node2"];
    await waitUntil("one of them to be refused", 120_000, async () => {
      const both = await Promise.all([repair(), Bun.sleep(Math.random() * 1_000).then(remove)]);
      const refused = both.filter(({ code }) => code !== 0);
      for (const { code, json } of refused)
        expect(refusals).toContain([code, json.error?.code, json.error?.node].join(" "));
      return refused.length > 0;
    });
    expect((await repair()).code).toBe(0);
    expect((await remove()).code).toBe(0);
  }, 300_000);

  test("whatever clients write while a server is away comes to it by itself, however odd: clocks apart, the future, two types of a field, 100k series", async () => {
    await untilComplete(lab);
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    const { org, bucket, token } = await shown(node1);
    await waitUntil("node2 to be compared since it is there", 120_000, async () =>
      (await recordOf(node2)).outages.every(({ sure, hint }) => sure || hint),
    );
    expect((await chime(node2, ["maintenance", "on"])).code).toBe(0);
    await node2.run(["systemctl", "stop", "influxdb"]);
    const weekMs = 7 * 86_400_000;
    const now = Date.now();
    const odd = [
      `late,client=ahead f=1 ${now + 3 * 3_600_000}000000`,
      `late,client=future f=1 ${now + 300 * 86_400_000}000000`,
      `late,client=behind f=1 ${now - 40 * weekMs}000000`,
      `select,from=where group=2 ${now}000000`,
      // A field has one type in a shard, which is a week.
      `typed f=1i ${now}000000`,
      `typed f="text" ${now - 3 * weekMs}000000`,
    ];
    const script = `
      const { url, token, odd, now } = JSON.parse(await Bun.stdin.text());
      const write = async (lines) => {
        const headers = { authorization: "Token " + token };
        const answer = await fetch(url, { method: "POST", headers, body: lines.join("\\n") });
        if (answer.status !== 204) throw new Error(await answer.text());
      };
      await write(odd);
      for (let i = 0; i < 100000; i += 5000)
        await write(Array.from({ length: 5000 }, (_, n) => "many,series=s" + (i + n) + " f=" + n + " " + now + "000000"));
    `;
    const url = `http://${node1.address}:8086/api/v2/write?org=${org}&bucket=${bucket}`;
    const stdin = JSON.stringify({ url, token, odd, now });
    await lab.client.run([process.execPath, "-e", script], { stdin, timeoutMs: 120_000 });
    const count = `SELECT count(f) FROM many; SELECT count(*) FROM late; SELECT count(*) FROM typed; SELECT count(*) FROM "select"`;
    const held = async ({ address }: LabNode) => {
      const words = ["curl", "-sS", "-H", `Authorization: Token ${token}`, "--data-urlencode", `q=${count}`];
      const url = `http://${address}:8086/query?db=${bucket}&rp=autogen`;
      // A server that is being started does not answer.
      return (await lab.client.run([...words, url], { check: false })).stdout;
    };
    const wanted = await held(node1);
    expect(wanted).toContain("100000");
    expect((await chime(node2, ["maintenance", "off"])).code).toBe(0);
    // What is of the outage's time comes first, and then what a look at all times finds. To count 100k series is work: seldom.
    const isGiven = async () => (await held(node2)) === wanted;
    await waitUntil("node2 to have been given all of it", 800_000, isGiven, 5_000);
    await untilComplete(lab);
    const { gaps } = (await chime<CompareResult>(node1, ["influxdb", "compare"])).json;
    expect(gaps?.filter(({ measurement }) => measurement !== "load")).toEqual([]);
  }, 900_000);

  test("whatever any server acknowledged is on both", async () => {
    await untilComplete(lab);
    const { misread, missing } = await load.report();
    expect({ misread, missing: Object.values(missing) }).toEqual({ misread: 0, missing: [0, 0] });
  }, 330_000);

  /** Somebody works on a node's server, and meanwhile the other one takes a point. */
  const missAPoint = async (node: LabNode, other: LabNode) => {
    await untilComplete(lab);
    expect((await chime(node, ["maintenance", "on"])).code).toBe(0);
    await node.run(["systemctl", "stop", "influxdb"]);
    const { org, bucket, token } = await shown(other);
    const url = `http://${other.address}:8086/api/v2/write?org=${org}&bucket=${bucket}`;
    const argv = ["curl", "-sSf", "-H", `Authorization: Token ${token}`, url, "--data-binary", "missed f=1"];
    await lab.client.run(argv);
  };

  test("a node whose points are needed does not leave", async () => {
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    await missAPoint(node2, node1);
    const { code, json } = await chime(node1, ["leave", "--yes"]);
    expect([code, json.error?.code]).toEqual([1, "leave.no_handover"]);
    expect(json.error?.message).toContain(
      "this node's points are needed: waiting for node2 to have everything",
    );
    const { members, vips } = await statusOf(node1);
    expect(members.map(({ state }) => state)).toEqual(["alive", "alive"]);
    expect(vips[0]?.holders).toEqual(["node1"]);
    for (const name of ["complete", "gap_filled_ratio"])
      expect(await metric(node1, `chime_node_${name}`)).toContain(
        `chime_node_${name}{role="influxdb",member="node2"} 0`,
      );
    expect((await chime(node2, ["maintenance", "off"])).code).toBe(0);
    await untilComplete(lab);
  }, 200_000);

  test("what nobody is left to fill is kept while its node is dead, and told once when that is removed", async () => {
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    await missAPoint(node2, node1);
    await node1.powerOff();
    expect((await chime(node2, ["maintenance", "off"])).code).toBe(0);
    const told = async () =>
      (await historyOf(node2)).filter(({ message }) => message.startsWith("node2 may lack points of"));
    const untilServing = () =>
      waitUntil("its server to serve", 60_000, async () => {
        const sure = (await recordOf(node2)).outages.filter((one) => one.sure);
        const { nodes } = (await statusOf(node2)).roles["influxdb"] as TwinStatus;
        const own = nodes.find(({ name }) => name === "node2");
        return own?.state === "serving" && sure.every(({ to }) => to !== null);
      });
    await untilServing();
    expect((await recordOf(node2)).outages.some(({ sure }) => sure)).toBe(true);
    expect(await told()).toEqual([]);
    await waitUntil("it to be dead", 30_000, async () =>
      (await statusOf(node2)).problems.some(({ code }) => code === "member.dead"),
    );
    expect((await chime(node2, ["remove", "node1", "--yes"])).code).toBe(0);
    await waitUntil("that to be told", 30_000, async () => (await told()).length > 0);
    await waitUntil("it to be forgotten", 30_000, async () => (await recordOf(node2)).isAlone);
    // From now on nobody else takes what it does not.
    await node2.run(["systemctl", "restart", "influxdb"]);
    await untilServing();
    await waitUntil("that to be forgotten, too", 30_000, async () => {
      const { outages } = await recordOf(node2);
      return outages.every(({ sure }) => !sure);
    });
    expect(await told()).toHaveLength(1);
  }, 250_000);
});
