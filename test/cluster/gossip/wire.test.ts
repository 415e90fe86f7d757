import { afterEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { firstRing, keysOf, type RingKey } from "../../../src/cluster/gossip/keyring.ts";
import { decodePacket, encodePacket } from "../../../src/cluster/gossip/packet.ts";
import { maxPlainBytes, Sealer } from "../../../src/cluster/gossip/seal.ts";
import { maxPacketBytes, type Packet } from "../../../src/cluster/gossip/types.ts";
import { openUdp } from "../../../src/cluster/gossip/udp.ts";
import { Wire } from "../../../src/cluster/gossip/wire.ts";
import { seeded, until } from "../support.ts";

const isLong = process.env["CHIME_LONG"] !== undefined;
const port = 18_827;
const cluster = "0123456789abcdef";
const key = keysOf(firstRing(randomBytes(32).toString("base64")))[0] as RingKey;
const ping: Packet = { kind: "ping", seq: 7, incarnation: 1, digest: "d", statements: [], news: [] };

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

interface Node {
  wire: Wire;
  heard: { packet: Packet; from: number }[];
}

/** Node `index` has 127.7.0.`index`. */
function node(index: number): Node {
  const heard: Node["heard"] = [];
  const wire = new Wire({
    self: index,
    cluster,
    wall: Date.now,
    now: () => performance.now(),
    addressOf: (other) => (other >= 1 && other <= 3 ? `127.7.0.${other}` : undefined),
    keys: { sealing: () => key, opening: (id) => (id === key.id ? key : undefined) },
    receive: (packet, from) => heard.push({ packet, from }),
  });
  open.push(wire);
  return { wire, heard };
}

async function listening(index: number): Promise<Node> {
  const made = node(index);
  await made.wire.listen(`127.7.0.${index}`, port);
  return made;
}

/** Somebody with a socket and no key. */
async function stranger(address: string): Promise<(bytes: Uint8Array, to: string) => void> {
  const socket = await Bun.udpSocket({ hostname: address, port: 0, socket: { error: () => undefined } });
  open.push(socket);
  return (bytes, to) => {
    try {
      socket.send(bytes, port, to);
    } catch {
      // The port rests: an earlier one was refused.
    }
  };
}

const total = ({ wire }: Node) => Object.values(wire.refused).reduce((sum, count) => sum + count, 0);

describe("packets over loopback", () => {
  test("come as they were sent, from whom the seal names", async () => {
    const [one, two] = [await listening(1), await listening(2)];
    one.wire.send(2, ping);
    await until("the packet", () => two.heard.length === 1);
    expect(two.heard).toEqual([{ packet: ping, from: 1 }]);
    two.wire.send(1, { ...ping, kind: "ack" });
    await until("the answer", () => one.heard.length === 1);
    expect([total(one), total(two)]).toEqual([0, 0]);
  });

  test("are lost where nobody listens, and none to another node with them", async () => {
    const [one, two] = [await listening(1), await listening(2)];
    for (let seq = 0; seq < 50; seq++) {
      one.wire.send(3, ping);
      one.wire.send(2, { ...ping, seq });
    }
    await until("all of them", () => two.heard.length === 50);
  });

  test("are lost where there is no such member, and where one is too large", async () => {
    const [one, two] = [await listening(1), await listening(2)];
    one.wire.send(4, ping);
    const body = "b".repeat(maxPlainBytes);
    one.wire.send(2, { ...ping, news: [{ key: "spec", version: "1", body }] });
    one.wire.send(2, ping);
    await until("the last one", () => two.heard.length === 1);
    expect(two.heard[0]?.packet.news).toEqual([]);
  });

  test("of strangers are counted by reason, and answered by nothing", async () => {
    const two = await listening(2);
    const heard: Uint8Array[] = [];
    const socket = await Bun.udpSocket({
      hostname: "127.7.0.1",
      port: 0,
      socket: { data: (_socket, bytes) => void heard.push(bytes) },
    });
    open.push(socket);
    const sealed = new Sealer({ self: 1, cluster, wall: Date.now }).seal(key, 2, encodePacket(ping));
    const unknown = new Sealer({ self: 1, cluster, wall: Date.now }).seal(
      key,
      2,
      Buffer.from('{"kind":"x"}'),
    );
    const changed = Buffer.from(sealed);
    changed[40] = (changed[40] as number) ^ 1;
    for (const bytes of ["hello", Buffer.alloc(200), Buffer.alloc(2_000), changed, unknown, sealed, sealed]) {
      socket.send(bytes, port, "127.7.0.2");
    }
    await until("all of them", () => total(two) === 6);
    expect(two.wire.refused).toMatchObject({ size: 2, version: 1, forged: 1, packet: 1, replayed: 1 });
    expect(two.heard).toEqual([{ packet: ping, from: 1 }]);
    expect(heard).toEqual([]);
  });

  test("are heard on all addresses, and by IPv4 on a socket of both kinds, from the address that they have", async () => {
    const from: string[] = [];
    const both = await openUdp({ host: "::", port, receive: (_bytes, address) => from.push(address) });
    open.push(both);
    (await stranger("127.7.0.9"))(Buffer.from("x"), "127.7.0.2");
    (await stranger("::1"))(Buffer.from("x"), "::1");
    await until("both", () => from.length === 2);
    expect(from.sort()).toEqual(["127.7.0.9", "::1"]);
  });
});

test("a port that is taken is told, and had as soon as it is free", async () => {
  const first = await openUdp({ host: "127.7.0.1", port, receive: () => undefined });
  let taken = 0;
  const second = await openUdp({ host: "127.7.0.1", port, receive: () => void taken++, againMs: 20 });
  open.push(second);
  expect([first.obstacle, second.obstacle]).toEqual([undefined, "EADDRINUSE"]);
  second.send(Buffer.from("x"), "127.7.0.1");
  const send = await stranger("127.7.0.9");
  first.close();
  await until("it to be open", () => second.obstacle === undefined);
  await until("one to be taken", () => {
    send(Buffer.from("x"), "127.7.0.1");
    return taken > 0;
  });
});

test("an agent whose port is taken names that", async () => {
  await listening(1);
  const late = await listening(1);
  expect(late.wire.obstacle).toBe("EADDRINUSE");
});

test("in a flood the port rests, and what comes afterwards is taken again", async () => {
  let taken = 0;
  const receive = () => void taken++;
  const limited = await openUdp({ host: "127.7.0.2", port, receive, maxPerSecond: 300 });
  open.push(limited);
  const send = await stranger("127.7.0.9");
  await until("the flood to be cut off", () => {
    for (let i = 0; i < 100; i++) send(Buffer.from("x"), "127.7.0.2");
    return limited.floods > 0;
  });
  expect(taken).toBe(300);
  await until("one to be taken", () => {
    send(Buffer.from("x"), "127.7.0.2");
    return taken > 300;
  });
});

test("what the network says of lost datagrams counts as well: anybody can forge it", async () => {
  const limited = await openUdp({ host: "127.7.0.1", port, receive: () => undefined, maxPerSecond: 20 });
  open.push(limited);
  await until("them to be too many", () => {
    for (let i = 0; i < 10; i++) limited.send(Buffer.from("x"), "127.7.0.3");
    return limited.floods > 0;
  });
});

test("what is sent to a closed port, or after it was closed, is lost", async () => {
  const one = await listening(1);
  one.wire.close();
  one.wire.send(2, ping);
  expect(total(one)).toBe(0);
});

const rounds = isLong ? 1_000_000 : 20_000;
test(`${rounds.toLocaleString("en")} packets that a member may have made up are packets, or nothing`, () => {
  const random = seeded(5);
  const below = (limit: number) => Math.floor(random() * limit);
  const full: Packet = {
    ...ping,
    statements: [{ index: 7, state: "dead", incarnation: 2, from: 1 }],
    news: [{ key: "record.7", version: "4.12", body: { name: "ä", list: [1, null, { a: "b" }] } }],
  };
  const genuine = encodePacket(full);
  const pieces = ["{", "}", "[", "]", '"kind":', '"ping"', "1e999", "-1", '"__proto__":', "null", ",", '"'];
  let taken = 0;
  for (let round = 0; round < rounds; round++) {
    let bytes = Buffer.from(genuine);
    if (random() < 0.5) for (let i = below(4); i >= 0; i--) bytes[below(bytes.length)] = below(256);
    else {
      const [from, piece] = [below(bytes.length), pieces[below(pieces.length)] as string];
      bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from(piece), bytes.subarray(from + below(12))]);
    }
    const decoded = decodePacket(bytes);
    if (!decoded) continue;
    taken++;
    // What is taken can be passed on.
    const again = encodePacket(decoded);
    const twice = decodePacket(again);
    if (!twice || !encodePacket(twice).equals(again)) throw new Error(bytes.toString());
  }
  expect(taken).toBeGreaterThan(0);
  for (const text of ["", "null", "[".repeat(maxPacketBytes), `{"kind":"ping"`, "\ufeff{}", "1"]) {
    expect(decodePacket(Buffer.from(text))).toBeUndefined();
  }
  // Half a character of UTF-8.
  const broken = encodePacket({ ...ping, digest: "*" });
  broken[broken.indexOf("*")] = 0xc3;
  expect(decodePacket(broken)).toBeUndefined();
}, 120_000);
