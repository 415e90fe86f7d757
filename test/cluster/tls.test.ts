import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { connect as connectTcp, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { Channel, peerFrameBytes } from "../../src/cluster/channel.ts";
import { encodeFrame } from "../../src/cluster/frame.ts";
import { issueServiceCertificate, loadCredentials, type Credentials } from "../../src/cluster/identity.ts";
import type { OpenCluster } from "../../src/cluster/open.ts";
import { certifyNode, createAuthority, generateKey } from "../../src/cluster/pki.ts";
import { openTls, TlsTransport } from "../../src/cluster/tls-transport.ts";
import type { ChimeError } from "../../src/core/errors.ts";
import { approach, codeOf, invite, lab, seeded, until, type Lab } from "./support.ts";

const port = 18823;
let nodes: Lab;
let one: OpenCluster;
let two: OpenCluster;
let own: Credentials;
beforeEach(async () => {
  nodes = await lab(port);
  one = await nodes.init("node1", "127.0.0.1");
  two = await nodes.join((await invite(one)).token, "node2", "127.0.0.2", ["mysql"]);
  own = (await loadCredentials(nodes.files("node2").pki)) as Credentials;
  await until("both alive", () => both().every((m) => m.state === "alive"));
});
afterEach(() => nodes.close());

function both() {
  return [...one.membership.members(), ...two.membership.members()];
}

interface ClientCertificate {
  cert?: string;
  key?: string;
}

/** What a client with these credentials gets for an answer to a member's question. */
async function answerTo(options: ClientCertificate, method = "push"): Promise<string> {
  let socket: TLSSocket;
  try {
    socket = await openTls("127.0.0.1", port, { rejectUnauthorized: false, ...options }, 1000);
  } catch {
    return "no TLS";
  }
  const channel = new Channel(socket, { limit: peerFrameBytes, peer: "node1" });
  try {
    await channel.request(method, {}, 1000);
    return "answered";
  } catch (error) {
    return (error as ChimeError).code;
  } finally {
    channel.close();
  }
}

describe("mutual TLS", () => {
  test("a member's certificate is answered; these tests would see it if anybody were", async () => {
    expect(await answerTo({ cert: own.certificate, key: own.key.privateKey })).toBe("answered");
  });

  test("without a certificate one can only ask to join", async () => {
    expect(await answerTo({})).toBe("join.bad_request");
  });

  test("a certificate of another CA with the same names gets nothing", async () => {
    const { cluster } = own.identity;
    const foreign = createAuthority(cluster, Date.now());
    const key = generateKey();
    const self = { ...own.identity.self, publicKey: key.publicKey };
    const cert = certifyNode(foreign, cluster, self, Date.now());
    expect(await answerTo({ cert, key: key.privateKey })).toBe("peer.unreachable");
    expect(await answerTo({ cert: cert + foreign.cert, key: key.privateKey })).toBe("peer.unreachable");
  });

  test("a service's certificate of our own CA is no agent's", async () => {
    const service = await issueServiceCertificate(nodes.files("node2").pki, {
      name: "node2",
      addresses: ["127.0.0.2"],
    });
    expect(await answerTo({ cert: service.cert, key: service.key })).toBe("peer.unreachable");
  });

  test("an expired certificate gets nothing", async () => {
    const authority = { cert: own.ca, key: own.caKey as string };
    const self = { ...own.identity.self, publicKey: own.key.publicKey };
    const old = certifyNode(authority, own.identity.cluster, self, Date.now() - 800 * 86_400_000);
    expect(await answerTo({ cert: old, key: own.key.privateKey })).toBe("peer.unreachable");
  });

  test("TLS 1.2 and no TLS get nothing", async () => {
    const error = await new Promise<string>((resolve) => {
      const socket = connect({
        host: "127.0.0.1",
        port,
        rejectUnauthorized: false,
        maxVersion: "TLSv1.2",
      });
      socket.once("secureConnect", () => resolve("connected"));
      socket.once("error", (error) => resolve(error.message));
    });
    expect(error).toContain("PROTOCOL_VERSION");
    const { bytes } = await converse((socket) => socket.write("GET / HTTP/1.0\r\n\r\n"));
    expect(bytes).toBeLessThan(64);
  });

  test("what answers with another node's key is an impostor", async () => {
    const transport = new TlsTransport(() => own, "127.0.0.9", port);
    const target = { name: "node1", index: 1, address: "127.0.0.1", publicKey: generateKey().publicKey };
    expect(await codeOf(transport.dial(target))).toBe("peer.impostor");
    const foreign = createAuthority(own.identity.cluster, Date.now());
    const mistrusting = new TlsTransport(() => ({ ...own, ca: foreign.cert }), "127.0.0.9", port);
    expect(await codeOf(mistrusting.dial(target))).toBe("peer.unreachable");
  });
});

describe("members that are none any more", () => {
  test("a removed one hears it, knows it, and is refused", async () => {
    await one.membership.remove("node2");
    await until("node2 knows", () => two.membership.self.left);
    expect(one.membership.members()[1]).toMatchObject({ name: "node2", state: "left", left: true });
    expect(await answerTo({ cert: own.certificate, key: own.key.privateKey })).toBe("member.removed");
    expect(await codeOf(one.membership.call("node2", "test.echo", {}, 500))).toBe("member.unknown");
    expect(await codeOf(one.membership.remove("node1"))).toBe("member.self");
    expect(await codeOf(one.membership.remove("node9"))).toBe("member.unknown");
  });

  test("one that was down while it was removed hears it when it is back", async () => {
    await two.stop();
    await one.membership.remove("node2");
    const back = await nodes.open("node2", "127.0.0.2");
    await until("node2 knows", () => back.membership.self.left);
  });

  test("leaving is heard at once; the name comes back under a new index only", async () => {
    await two.membership.leave();
    expect(one.membership.members()[1]).toMatchObject({ name: "node2", index: 2, state: "left" });
    await two.stop();
    const { token } = await invite(one);
    expect(await codeOf(nodes.enter(token, "node2", "127.0.0.2", ["mysql"]))).toBe("member.removed");
    await rm(nodes.files("node2").pki, { recursive: true });
    const again = await nodes.join(token, "node2", "127.0.0.2", ["mysql"]);
    expect(again.membership.self).toMatchObject({ index: 3, roles: ["mysql"] });
    await until("alive", () => one.membership.members()[1]?.state === "alive");
    expect(one.membership.members().map((m) => m.index)).toEqual([1, 3]);
  });
});

/** Connects without TLS, lets `talk` talk, and tells how much came back until the other side closed. */
async function converse(talk: (socket: Socket) => void): Promise<{ bytes: number }> {
  return await new Promise((resolve) => {
    let bytes = 0;
    const socket = connectTcp(port, "127.0.0.1", () => talk(socket));
    socket.on("data", (chunk) => (bytes += chunk.length));
    socket.on("error", () => undefined);
    socket.once("close", () => resolve({ bytes }));
  });
}

/** Whether a frame of so many bytes is answered. */
async function sendFrame(options: ClientCertificate, bytes: number): Promise<string> {
  const socket = await openTls("127.0.0.1", port, { rejectUnauthorized: false, ...options }, 1000);
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.once("data", () => resolve("answered"));
  socket.once("close", () => resolve("closed"));
  socket.write(encodeFrame({ id: 1, method: "exchange", params: { text: "x".repeat(bytes) } }));
  return await promise.finally(() => socket.destroy());
}

describe("limits", () => {
  test("a frame above the limit closes the connection: 16 KiB for strangers, 1 MiB for members", async () => {
    const member = { cert: own.certificate, key: own.key.privateKey };
    expect(await sendFrame({}, 15_000)).toBe("answered");
    expect(await sendFrame({}, 17_000)).toBe("closed");
    expect(await sendFrame(member, 17_000)).toBe("answered");
    expect(await sendFrame(member, 1_100_000)).toBe("closed");
  });

  /** Connections that say nothing, from so many addresses; tells how many of them were closed. */
  function silent(count: number, addresses: number): { closed: () => number; end: () => void } {
    let closed = 0;
    const sockets = Array.from({ length: count }, (_, i) => {
      const localAddress = `127.0.1.${1 + (i % addresses)}`;
      return connectTcp({ host: "127.0.0.1", port, localAddress });
    });
    for (const socket of sockets) {
      socket.on("error", () => undefined);
      socket.once("close", () => closed++);
    }
    return { closed: () => closed, end: () => sockets.forEach((socket) => socket.destroy()) };
  }

  test("one stranger's silent connections are dropped but for eight, and members still talk", async () => {
    const strangers = silent(60, 1);
    await until("those above the limit are dropped", () => strangers.closed() >= 60 - 8);
    expect(strangers.closed()).toBe(60 - 8);
    expect(one.membership.members()[1]?.state).toBe("alive");
    strangers.end();
  });

  test("many strangers' silent connections do not keep out a member that connects anew", async () => {
    const strangers = silent(100, 20);
    await until("those above the limit are dropped", () => strangers.closed() >= 100 - 64);
    expect(await answerTo({ cert: own.certificate, key: own.key.privateKey })).toBe("answered");
    strangers.end();
  });

  test("random frames from a stranger and from a member crash nobody", async () => {
    const random = seeded(11);
    const pieces = [
      "id",
      "method",
      "params",
      "join",
      "push",
      "decide",
      "records",
      "admissions",
      1,
      -1,
      null,
      [],
      {},
    ];
    const any = (depth: number): unknown => {
      const pick = pieces[Math.floor(random() * pieces.length)];
      if (depth > 3 || random() < 0.4) return pick;
      return { [JSON.stringify(pick)]: any(depth + 1), method: random() < 0.5 ? any(depth + 1) : "push" };
    };
    for (const options of [{}, { cert: own.certificate, key: own.key.privateKey }]) {
      for (let round = 0; round < 12; round++) {
        const socket = await approach(port, options);
        const { promise, resolve } = Promise.withResolvers<void>();
        socket.once("close", () => resolve());
        socket.once("data", () => resolve());
        const frame =
          random() < 0.2
            ? Buffer.from(`\0\0\0\x05${"x".repeat(9)}`)
            : encodeFrame({ id: 1, ...Object(any(0)) });
        socket.write(frame);
        const limit = setTimeout(resolve, 15);
        await promise;
        clearTimeout(limit);
        socket.destroy();
      }
    }
    expect(both().filter((m) => m.state === "alive")).toHaveLength(4);
    expect(one.membership.members()).toHaveLength(2);
  });
});
