/**
 * A hostile machine: does one thing to an agent's port for some seconds, and prints what came of it as one JSON document.
 * Settings on stdin.
 */
import { randomBytes } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { encodeFrame } from "../../src/cluster/frame.ts";

export interface FloodSettings {
  kind: FloodKind;
  address: string;
  seconds: number;
  /** Connections at once. */
  lanes: number;
}

export type FloodKind =
  /** TCP, and closed at once, or left open until the other side has enough. */
  | "connections"
  | "half-open"
  /** Bytes of no protocol. */
  | "random"
  /** The beginning of a TLS handshake, cut anywhere, or a byte of it a second. */
  | "truncated"
  | "slow"
  /** After the handshake: a frame larger than any, one that comes a byte a second, and joins that nobody invited. */
  | "oversized"
  | "slow-frame"
  | "joins";

export interface FloodResult {
  sent: number;
  /** Connections that heard anything beyond TLS. */
  answered: number;
  /** Codes and other words in what was heard, each once. */
  words: string[];
}

const settings = (await Bun.stdin.json()) as FloodSettings;
const { kind, address, seconds, lanes } = settings;
const port = 8820;
const until = performance.now() + seconds * 1000;
const result: FloodResult = { sent: 0, answered: 0, words: [] };
const words = new Set<string>();

/** As a client begins: what of it says which versions it knows is not even reached where it is cut. */
const hello = Buffer.concat([Buffer.from("16030100c8010000c40303", "hex"), randomBytes(194)]);

const join = {
  token: { id: "abcd1234", secret: "x".repeat(32) },
  name: "stranger",
  address: "10.9.9.9",
  roles: ["witness"],
  publicKey: "AAAA",
  possession: "AAAA",
  wall: Date.now(),
  protocol: 1,
  binaryVersion: "0.1.0",
};

/** A byte a second until the other side has enough of it. */
function drip(socket: Socket, bytes: Uint8Array): void {
  let at = 0;
  const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 1000);
  socket.once("close", () => clearInterval(timer));
}

function speak(socket: Socket): void {
  switch (kind) {
    case "connections":
      return void socket.destroy();
    case "half-open":
      return;
    case "random":
      return void socket.write(randomBytes(1 + Math.floor(Math.random() * 4000)));
    case "truncated":
      return void socket.end(hello.subarray(0, Math.floor(Math.random() * hello.length)));
    case "slow":
      return drip(socket, hello);
    case "oversized":
      return void socket.write(Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xff]), Buffer.alloc(60_000)]));
    case "slow-frame":
      return drip(socket, encodeFrame({ id: 1, method: "join", params: join }));
    case "joins":
      return void socket.write(encodeFrame({ id: 1, method: "join", params: join }));
  }
}

const overTls = ["oversized", "slow-frame", "joins"].includes(kind);

async function lane(): Promise<void> {
  while (performance.now() < until) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = overTls
      ? connectTls({ host: address, port, rejectUnauthorized: false }, () => speak(socket))
      : connectTcp({ host: address, port }, () => speak(socket));
    socket.on("data", (chunk: Buffer) => {
      result.answered++;
      for (const word of chunk.toString("latin1").match(/[A-Za-z][\w.-]{3,40}/g) ?? []) words.add(word);
      if (kind === "joins") socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve());
    const end = setTimeout(() => socket.destroy(), Math.max(1, until - performance.now()));
    await promise;
    clearTimeout(end);
    result.sent++;
  }
}

await Promise.all(Array.from({ length: lanes }, lane));
console.log(JSON.stringify({ ...result, words: [...words].sort().slice(0, 60) }));
