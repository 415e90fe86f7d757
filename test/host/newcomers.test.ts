import { expect, test } from "bun:test";
import { connectionOf, firstPackets, openNewcomers } from "../../src/host/newcomers.ts";

test("who is at both ends stands in the headers, wherever the IP header ends", () => {
  const packet = (options: number) => {
    const bytes = new Uint8Array(40 + options);
    bytes.set([0x45 + options / 4], 0);
    bytes.set([10, 77, 0, 100, 10, 77, 0, 50], 12);
    bytes.set([0xb2, 0x6e, 0x23, 0x28], 20 + options);
    return bytes;
  };
  const expected = {
    local: { address: "10.77.0.50", port: 9000 },
    remote: { address: "10.77.0.100", port: 45_678 },
  };
  expect(connectionOf(packet(0))).toEqual(expected);
  expect(connectionOf(packet(8))).toEqual(expected);
});

test("the kernel is asked for packets to the address alone", () => {
  expect(firstPackets("10.77.0.50")[3]?.[3]).toBe(0x0a4d0032);
});

test.skipIf(process.getuid?.() !== 0)(
  "each connection is heard once it begins, and nothing else",
  async () => {
    using server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const newcomers = openNewcomers("127.0.0.1");
    const heard = () => newcomers.read().filter(({ local }) => local.port === server.port);
    try {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
      const [first] = heard();
      expect(first?.remote).toEqual({ address: "127.0.0.1", port: socket.localPort });
      socket.write("x");
      socket.end();
      await Bun.sleep(0);
      expect(heard()).toEqual([]);
    } finally {
      newcomers.close();
    }
  },
);
