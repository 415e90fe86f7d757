import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Status } from "../../src/agent/status.ts";
import { paths } from "../../src/core/paths.ts";
import type { RepairResult } from "../../src/operations/influxdb.ts";
import type { DeletionResult } from "../../src/roles/influxdb/guard/deleting.ts";
import type { Deletion } from "../../src/roles/influxdb/gap/deleted.ts";
import { chime } from "./chime.ts";
import { influxdBinary } from "./influxdb-binary.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { PointLoad } from "./point-load.ts";
import type { Running } from "./process.ts";
import { untilComplete } from "./twin-faults.ts";
import { formTwins, openTwinLab, shown } from "./twins.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const influxd = long ? await influxdBinary() : undefined;
const why = influxd ? "" : " (skipped: --long, and Go >= 1.24, Rust and their modules)";

/** A server writes three times to its disk for each: of so many it deletes about a minute beside clients. */
const many = 100_000;
const hourMs = 3_600_000;

describe.skipIf(!influxd)(`series are deleted beside clients${why}`, () => {
  let lab: Lab;
  let load: PointLoad;
  beforeAll(async () => {
    lab = await openTwinLab(influxd ?? "");
    await formTwins(lab);
    // What is only in memory is deleted in another way: as a rule it is on the disk by then.
    const small = "[Service]\nEnvironment=INFLUXD_STORAGE_CACHE_SNAPSHOT_MEMORY_SIZE=1048576\n";
    for (const node of lab.nodes) {
      await node.put("/etc/systemd/system/influxdb.service.d/small.conf", small);
      await node.sh("systemctl daemon-reload; systemctl restart influxdb");
      await untilComplete(lab);
    }
  }, 200_000);
  afterAll(() => lab?.close());

  /** One point of each of so many series, at that time, on both servers. */
  const write = async (measurement: string, series: number, at: number, first = 0) => {
    const { org, bucket, token } = await shown(lab.node("node1"));
    const script = `
      const { urls, token, first, series, measurement, at } = JSON.parse(await Bun.stdin.text());
      for (let i = 0; i < series; i += 5000) {
        const some = Array.from({ length: Math.min(5000, series - i) }, (_, n) => measurement + ",series=s" + (first + i + n) + " f=1 " + at + "000000");
        const asked = { method: "POST", headers: { authorization: "Token " + token }, body: some.join("\\n") };
        for (const url of urls) {
          const answer = await fetch(url, asked);
          if (answer.status !== 204) throw new Error(await answer.text());
        }
      }
    `;
    const urls = lab.nodes.map(
      ({ address }) => `http://${address}:8086/api/v2/write?org=${org}&bucket=${bucket}`,
    );
    const stdin = JSON.stringify({ urls, token, first, series, measurement, at });
    await lab.client.run([process.execPath, "-e", script], { stdin, timeoutMs: 120_000 });
  };

  /** How many points each server gives back. */
  const held = async (measurement: string): Promise<number[]> => {
    const { bucket, token } = await shown(lab.node("node1"));
    const counts = lab.nodes.map(async ({ address }) => {
      const words = ["curl", "-sS", "-H", `Authorization: Token ${token}`, "--data-urlencode"];
      const url = `http://${address}:8086/query?db=${bucket}&rp=autogen`;
      const argv = [...words, `q=SELECT count(f) FROM ${measurement}`, url];
      const { stdout } = await lab.client.run(argv, { check: false });
      return Number(/"1970-01-01T00:00:00Z",(\d+)/.exec(stdout)?.[1] ?? 0);
    });
    return Promise.all(counts);
  };

  const hour = (at: number) => [
    "--from",
    new Date(at - hourMs).toISOString(),
    "--to",
    new Date(at + 1).toISOString(),
  ];
  const words = (measurement: string, at: number) => [
    "influxdb",
    "delete",
    ...hour(at),
    "--where",
    `_measurement="${measurement}"`,
    "--yes",
  ];
  const known = async (node: LabNode): Promise<Deletion[]> =>
    JSON.parse(await node.read(paths.influxdbDeletions)) as Deletion[];
  /** Its last line may be read after it has ended. */
  const untilSaid = (command: Running, words: string) =>
    waitUntil(words, 60_000, () => command.lines.some((line) => line.includes(words))).catch(
      (error: Error) => {
        throw new Error(`${error.message}: ${command.lines.join("\n")}`);
      },
    );
  /** @param measurement what was deleted on whose servers, as either node knows it */
  const doneOn = async (node: LabNode, measurement: string) =>
    (await known(node)).find(({ predicate }) => predicate.includes(measurement))?.done;

  test("100,000 of them: it is waited for, on one server after the other, and what clients write meanwhile is on both", async () => {
    load = await PointLoad.start(lab);
    const at = Date.now() - hourMs;
    await write("many", many, at);
    await waitUntil("it to be on both", 60_000, async () => Bun.deepEquals(await held("many"), [many, many]));
    await waitUntil("it to be on their disks", 60_000, async () => {
      const found = lab.nodes.map((node) =>
        node.sh("find /var/lib/influxdb/engine/data -name '*.tsm' -size +100k"),
      );
      return (await Promise.all(found)).every(({ stdout }) => stdout !== "");
    });
    await untilComplete(lab);
    let written = 0;
    const over = new AbortController();
    const deletion = chime<DeletionResult>(lab.node("node1"), words("many", at), {
      timeoutMs: 900_000,
    }).finally(() => over.abort());
    while (!over.signal.aborted) {
      await write("many", 2_000, Date.now(), written % many);
      written += 2_000;
      await Bun.sleep(8_000);
    }
    const { code, json, stderr } = await deletion;
    console.error(stderr);
    expect([code, json.done, json.pending]).toEqual([0, ["node1", "node2"], []]);
    for (const name of ["node1", "node2"]) expect(stderr).toContain(`deleting on ${name}`);
    console.error(`of ${written} points written meanwhile the servers give ${String(await held("many"))}`);
    // InfluxDB hides points of series that it deletes, but never the same on both. By itself that is filled, too, at its pace.
    const repair = ["influxdb", "repair", "--from", "1h", "--fast"];
    await waitUntil("both to have what was written meanwhile", 400_000, async () => {
      await chime(lab.node("node1"), repair);
      return Bun.deepEquals(await held("many"), [written, written]);
    });
  }, 1_800_000);

  test("interrupted, the agents go on", async () => {
    await untilComplete(lab);
    const at = Date.now() - hourMs;
    await write("some", many / 4, at);
    const command = lab.node("node1").start(["chime-node", ...words("some", at)]);
    await untilSaid(command, "deleting on node1");
    command.signal("SIGINT");
    expect(await command.exited).toBe(130);
    await untilSaid(command, "what was begun goes on");
    await waitUntil("it to be done on both", 300_000, async () =>
      Bun.deepEquals(await doneOn(lab.node("node2"), "some"), ["node1", "node2"]),
    );
    expect(await held("some")).toEqual([0, 0]);
  }, 400_000);

  test.each([
    ["chime-node", "what is to be deleted is written down"],
    ["influxdb", "not deleted on node1 yet"],
  ])(
    "%s is killed meanwhile: it is done all the same, and nothing comes back",
    async (unit, said) => {
      await untilComplete(lab);
      const [node1, node2] = [lab.node("node1"), lab.node("node2")];
      const [at, measurement] = [Date.now() - hourMs, `killed_${unit.slice(0, 5)}`];
      await write(measurement, many / 4, at);
      const command = node1.start(["chime-node", ...words(measurement, at)]);
      await untilSaid(command, "deleting on node1");
      await node1.kill(unit);
      expect(await command.exited).toBe(1);
      await untilSaid(command, said);
      await waitUntil("it to be done on both", 400_000, async () =>
        Bun.deepEquals(await doneOn(node2, measurement), ["node1", "node2"]),
      );
      await untilComplete(lab);
      expect(await held(measurement)).toEqual([0, 0]);
    },
    900_000,
  );

  test("what only the second server refuses is told and holds up nothing else, and ends by the command that status gives", async () => {
    await untilComplete(lab);
    const [node1, node2] = [lab.node("node1"), lab.node("node2")];
    const { org, bucket, token } = await shown(node1);
    const at = Date.now() - 2 * hourMs;
    await write("odd", 10, at);
    await waitUntil("it to be on both", 60_000, async () => Bun.deepEquals(await held("odd"), [10, 10]));
    // As though the server of node1 were of another version, which understands it.
    const range = { start: new Date(at - 1_000).toISOString(), stop: new Date(at + 1_000).toISOString() };
    const odd = { ...range, bucket, predicate: "odd OR even", at: new Date().toISOString() };
    const before = await known(node1).catch(() => []);
    await node1.run(["systemctl", "stop", "chime-node"]);
    const argv = ["curl", "-sSf", "-H", `Authorization: Token ${token}`, "--data", JSON.stringify(range)];
    const url = `http://${node1.address}:8086/api/v2/delete?org=${org}&bucket=${bucket}`;
    await lab.client.run([...argv, url]);
    const deletion = { ...odd, id: "odd", by: "node1", done: ["node1"] };
    await node1.put(paths.influxdbDeletions, JSON.stringify([...before, deletion]));
    await node1.run(["systemctl", "start", "chime-node"]);
    const problem = async () =>
      (await chime<Status>(node2, ["status"])).json.problems.find(
        ({ code }) => code === "influxdb.delete_refused",
      );
    await waitUntil("it to be told", 120_000, async () => (await problem()) !== undefined);
    expect(await problem()).toMatchObject({
      node: "node2",
      severity: "error",
      message: expect.stringContaining("where odd OR even) is still on node2: "),
    });

    const other = await chime<DeletionResult>(node1, words("even", at));
    expect([other.code, other.json.pending]).toEqual([0, []]);
    const repaired = await chime<RepairResult>(node1, ["influxdb", "repair", "--from", "4h"]);
    expect([repaired.code, repaired.json.held.map(({ code }) => code)]).toEqual([
      4,
      ["influxdb.delete_refused"],
    ]);
    expect(await held("odd")).toEqual([0, 10]);

    const [, command = ""] = /: chime-node (.*)$/.exec((await problem())?.remedy ?? "") ?? [];
    const ended = await chime<DeletionResult>(node1, [...command.split(" "), "--yes"]);
    expect([ended.code, ended.json.done]).toEqual([0, ["node1", "node2"]]);
    await waitUntil("it not to be told any more", 90_000, async () => (await problem()) === undefined);
    await untilComplete(lab);
    expect(await held("odd")).toEqual([0, 0]);
  }, 500_000);

  test("whatever any server acknowledged is on both", async () => {
    await untilComplete(lab);
    const { misread, missing } = await load.report();
    expect({ misread, missing: Object.values(missing) }).toEqual({ misread: 0, missing: [0, 0] });
  }, 330_000);
});
