import { afterAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { renderMetrics, serveMetrics } from "../../src/agent/metrics.ts";
import { clusterStatus } from "../../src/agent/status.ts";
import { influxdb } from "../../src/roles/influxdb/index.ts";
import { twinContext, twinNode } from "../roles/influxdb/context.ts";

const port = 18_871;
let isBroken = false;
const metrics = serveMetrics(port, () =>
  isBroken ? Promise.reject(new Error("broken")) : Promise.resolve("chime_node_up 1\n"),
);
afterAll(() => metrics.stop());

function ask(head: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let heard = "";
  const socket = connect(port, "127.0.0.1", () => socket.write(`${head}\r\nConnection: close\r\n\r\n`));
  socket.on("data", (bytes) => (heard += bytes.toString()));
  socket.on("error", reject);
  socket.on("close", () => resolve(heard));
  return promise;
}

test.each(["HTTP/1.1\r\nHost: localhost", "HTTP/1.0", "HTTP/1.1\r\nHost: a b"])(
  "metrics are told to whoever asks: %j",
  async (how) => {
    expect(await ask(`GET /metrics ${how}`)).toEndWith("\r\n\r\nchime_node_up 1\n");
  },
);

test.each(["GET / HTTP/1.0", "GET http:/// HTTP/1.1\r\nHost: :::", "GET //metrics HTTP/1.0"])(
  "nothing else is: %j",
  async (head) => {
    expect(await ask(head)).toStartWith("HTTP/1.1 404");
  },
);

test("where they cannot be told, nothing is shown of the reason, nor of the program", async () => {
  isBroken = true;
  const answer = await ask("GET /metrics HTTP/1.1\r\nHost: localhost");
  expect(answer).toStartWith("HTTP/1.1 500");
  expect(answer.length).toBeLessThan(300);
  expect(answer).not.toContain("broken");
});

const since = "2026-11-22T08:00:00.000Z";
const gap = { since, away: 4, done: 0.35, trouble: null, remedy: null, busy: true };
const complete = (...values: number[]) =>
  values.map((value, i) => `chime_node_complete{role="influxdb",member="node${i + 1}"} ${value}`);
const filled = 'chime_node_gap_filled_ratio{role="influxdb",member="node2"}';
test.each([
  ["both have everything", {}, complete(1, 1)],
  ["a gap is filled", { gap }, [...complete(1, 0), `${filled} 0.35`]],
  [
    "a gap was found, and nothing is filled yet",
    { gap: { ...gap, done: 0 } },
    [...complete(1, 0), `${filled} 0`],
  ],
  ["it is compared, and nothing says that anything is missing", { gap: { ...gap, away: 0 } }, complete(1, 1)],
  ["its server is not one of the twins yet", { joined: false }, complete(1, 0)],
  ["it is dead", { liveness: "dead", gap }, complete(1, 0)],
] as const)(
  "of twins it is told who has everything, and how much of a gap is filled: %s",
  (_, said, samples) => {
    const members = [twinNode(1), twinNode(2, said)];
    const status = clusterStatus({
      context: twinContext(members),
      specVersion: 1,
      members,
      roles: [influxdb],
    });
    const lines = renderMetrics(status, "0.1.0").split("\n");
    const told = lines.filter((line) => /^chime_node_(complete|gap_filled_ratio)\{/.test(line));
    expect(told).toEqual([...samples]);
    for (const name of ["complete", "gap_filled_ratio"])
      expect(lines).toContain(`# TYPE chime_node_${name} gauge`);
  },
);
