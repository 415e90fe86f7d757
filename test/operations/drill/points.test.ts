import { expect, test } from "bun:test";
import { PointClients } from "../../../src/operations/drill/points.ts";

/** A server's rows, as it tells them: time in µs, b, f, i, s, u, t. */
type Row = [number, boolean, number, number, string, number, string];

const line =
  /^m,t=((?:\\.|[^ \\])*) f=([^,]+),i=(\d+)i,u=(\d+)u,b=(true|false),s="((?:\\.|[^"\\])*)" (\d+)000$/gms;

const plain = (text = "") => text.replace(/\\(.)/gs, "$1");

function rowsOf(body: string): Row[] {
  return [...body.matchAll(line)].map(([, t, f, i, u, b, s, time]) => [
    Number(time),
    b === "true",
    Number(f),
    Number(i),
    plain(s),
    Number(u),
    plain(t),
  ]);
}

test("of what was acknowledged a server lacks what it does not hold at the same time with the same values", async () => {
  const rows: Row[] = [];
  let told: Row[] = rows;
  using http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const body = await request.text();
      if (pathname === "/api/v2/write") {
        rows.push(...rowsOf(body));
        return new Response(null, { status: 204 });
      }
      // Reads beside the writes are not what is asked about here.
      if (new URLSearchParams(body).get("q")?.includes("last(i)")) return new Response(null, { status: 503 });
      const unit = searchParams.get("epoch") === "u" ? 1 : 1_000;
      const values = told.map(([time, ...row]) => [Math.floor(time / unit), ...row]);
      return Response.json({ results: [{ series: [{ columns: [], values }] }] });
    },
  });
  const server = { address: "127.0.0.1", port: http.port ?? 0, org: "chime" };
  const clients = new PointClients({
    real: [server],
    vip: server,
    bucket: "chime",
    measurement: "m",
    readers: 1,
    batch: 20,
    pauseMs: 5,
    requestMs: 2_000,
  });
  clients.start();
  while (clients.points < 60) await Bun.sleep(5);
  await clients.stop();
  while (rows.length < clients.points) await Bun.sleep(5);
  expect(await clients.missingOn(server)).toBe(0);
  const changed = (...row: Row) => rows.map((one, nth) => (nth === 27 ? row : one));
  const [time, b, f, i, s, u, t] = rows[27] as Row;
  const others: Row[][] = [
    rows.filter((_, nth) => nth !== 27),
    changed(time + 1, b, f, i, s, u, t),
    changed(time - 1_000, b, f, i, s, u, t),
    changed(time, b, f, i, `${s} `, u, t),
    changed(time, b, f, i, s, u + 1, t),
  ];
  for (const other of others) {
    told = other;
    expect(await clients.missingOn(server)).toBe(1);
  }
});
