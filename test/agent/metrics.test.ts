import { afterAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { serveMetrics } from "../../src/agent/metrics.ts";

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
