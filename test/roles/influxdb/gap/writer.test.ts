import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../../../src/core/clock.ts";
import { fill } from "../../../../src/roles/influxdb/gap/fill.ts";
import type { Care } from "../../../../src/roles/influxdb/gap/pace.ts";
import { FillRecord } from "../../../../src/roles/influxdb/gap/record.ts";
import type { Side } from "../../../../src/roles/influxdb/gap/sides.ts";
import { Writer } from "../../../../src/roles/influxdb/gap/writer.ts";
import { until } from "../../../vip/until.ts";
import { pack } from "./pack.ts";

const servers: Bun.Server<undefined>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** Stands in for a server: how many points it has of a measurement, and how it answers writes. */
function serve(points: number, write: (lines: string[]) => Response | Promise<Response>): Side {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      if (new URL(request.url).pathname === "/api/v2/write") {
        const body = Buffer.from(Bun.gunzipSync(new Uint8Array(await request.arrayBuffer())));
        return write(body.toString("latin1").trimEnd().split("\n"));
      }
      if (request.headers.get("accept") === "application/x-msgpack") return new Response(rows(points));
      const values = points > 0 ? [[0, points]] : [];
      return Response.json({
        results: [{ series: points > 0 ? [{ name: "m", columns: ["time", "count_f"], values }] : [] }],
      });
    },
  });
  servers.push(server);
  return {
    server: { address: "127.0.0.1", port: server.port ?? 0, org: "chime" },
    bucket: { id: "1", orgId: "1", name: "chime", retentionSeconds: 0, shardSeconds: 604_800 },
    database: { db: "chime", rp: "autogen" },
  };
}

function rows(points: number): Buffer<ArrayBuffer> {
  const values = Array.from({ length: points }, (_, i) => [BigInt(i), i]);
  const series = points > 0 ? [{ name: "m", tags: {}, columns: ["time", "f"], values }] : [];
  return Buffer.from(pack({ results: [{ series }] }));
}

const stored = () => new Response(null, { status: 204 });
const how = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: Error) => error.name,
  );

/** A filling of more than one batch, whose first one the server does not answer until it is released. */
function held() {
  const release = Promise.withResolvers<void>();
  const sizes: number[] = [];
  const other = serve(0, async (batch) => {
    sizes.push(batch.length);
    await release.promise;
    return stored();
  });
  const pair = { name: "chime", mine: serve(12_000, stored), other };
  const types = new Map([["f", new Set(["float"])]]);
  const filling = async (care: Partial<Care>) =>
    fill(
      pair,
      { name: "m", mine: types, other: new Map() },
      { from: 0, to: 1_000 },
      {
        limits: { timeoutMs: 5_000, ...care },
        clock: systemClock,
        authority: undefined,
        record: await FillRecord.load("/nonexistent/fill"),
      },
    );
  return { release, sizes, filling };
}

test("a filling that is halted ends when what it sent is answered, and sends no more: a deletion comes behind it", async () => {
  const { release, sizes, filling } = held();
  const halt = new AbortController();
  let ended: string | undefined;
  const filled = how(filling({ signal: halt.signal })).then((how) => (ended = how));
  await until(() => sizes.length > 0);
  halt.abort();
  await Bun.sleep(50);
  expect(ended).toBeUndefined();
  release.resolve();
  expect(await filled).toBe("AbortError");
  expect(sizes).toEqual([5_000]);
});

test("a server that does not answer holds a halted filling up for as long as a write may take", async () => {
  const { sizes, filling } = held();
  const halt = new AbortController();
  const filled = how(filling({ signal: halt.signal, timeoutMs: 1_000 }));
  await until(() => sizes.length > 0);
  halt.abort();
  expect(await Promise.race([filled, Bun.sleep(4_000)])).toBe("ChimeError");
});

test("an agent that ends waits for no server", async () => {
  const { sizes, filling } = held();
  const end = new AbortController();
  const filled = how(filling({ signal: end.signal, abandon: end.signal }));
  await until(() => sizes.length > 0);
  end.abort();
  expect(await Promise.race([filled, Bun.sleep(2_000)])).toBe("AbortError");
});

/** Stores what it is given, but for a batch in which there is a line that it cannot read. */
async function written(lines: string[]) {
  const taken: string[] = [];
  let requests = 0;
  const side = serve(0, (batch) => {
    requests++;
    const bad = batch.find((line) => line.startsWith("bad"));
    const message = `unable to parse '${bad}': missing fields`;
    if (bad !== undefined) return Response.json({ code: "invalid", message }, { status: 400 });
    taken.push(...batch);
    return stored();
  });
  const writer = new Writer(side, { limits: { timeoutMs: 5_000 }, clock: systemClock });
  await writer.add(lines);
  await writer.flush();
  const { refused, why, written } = writer;
  return { taken, requests, refused, why, written };
}

test("a line that the server cannot read is refused alone: all others of its batch are stored", async () => {
  const lines = Array.from({ length: 1_000 }, (_, i) => `${i === 77 || i === 900 ? "bad" : "m"} f=${i} ${i}`);
  const { taken, requests, ...rest } = await written(lines);
  expect(taken.toSorted()).toEqual(lines.filter((line) => !line.startsWith("bad")).toSorted());
  expect(rest).toEqual({
    refused: 2,
    why: expect.stringContaining("unable to parse 'bad f=900 900'"),
    written: 1_000,
  });
  expect(requests).toBeLessThan(50);
});

test("a server that refuses whatever it is given is not asked of each line", async () => {
  const lines = Array.from({ length: 5_000 }, (_, i) => `bad f=${i} ${i}`);
  const { taken, requests, refused } = await written(lines);
  expect(taken).toEqual([]);
  expect(refused).toBe(5_000);
  expect(requests).toBeLessThan(300);
});
