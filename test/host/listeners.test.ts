import { expect, test } from "bun:test";
import { listenerOn, listeningInodes } from "../../src/host/listeners.ts";

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2274 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:9C40 0100007F:2274 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:2274 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 20 4 30 10 -1
   3: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1 0000000000000000 100 0 0 10 0
`;

test("only listeners on the port count, not connections from or to it", () => {
  expect(listeningInodes(table, 8820)).toEqual(["4711"]);
  expect(listeningInodes(table, 80)).toEqual(["4714"]);
  expect(listeningInodes(table, 3306)).toEqual([]);
  expect(listeningInodes("", 80)).toEqual([]);
});

test("of UDP those count that take datagrams from everybody", () => {
  const sockets = table.replace(" 0A ", " 07 ");
  expect(listeningInodes(sockets, 8820, "udp")).toEqual(["4711"]);
  expect(listeningInodes(table, 8820, "udp")).toEqual([]);
});

test("this process is found by its UDP port, and by that alone", async () => {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
  try {
    expect(await listenerOn(socket.port, "udp")).toMatchObject({ pid: process.pid });
    expect(await listenerOn(socket.port, "tcp")).toBeUndefined();
  } finally {
    socket.close();
  }
});

test("this process is found by the port that it has", async () => {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  try {
    expect(await listenerOn(server.port)).toMatchObject({ pid: process.pid, binary: process.execPath });
  } finally {
    server.stop(true);
  }
  expect(await listenerOn(server.port)).toBeUndefined();
});
