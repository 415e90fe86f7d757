import { X509Certificate } from "node:crypto";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import { failed } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { agentPort } from "../core/paths.ts";
import { isSilentNeighbor } from "../host/neighbor.ts";
import { isRemoved } from "./admission.ts";
import { Channel, peerFrameBytes, peerUnreachable, strangerFrameBytes } from "./channel.ts";
import { Crowd } from "./crowd.ts";
import type { Credentials } from "./identity.ts";
import { caHash, readNodeCertificate, type PeerIdentity } from "./pki.ts";
import { isIssuedBy, shownTo, trustedCas } from "./trust.ts";
import type { Link, PeerAddress, Refused, Serve, Transport } from "./transport.ts";

/** A SYN that nobody answers: long enough for one retransmission, short enough to find a healed peer soon. */
const connectMs = 1_500;
const handshakeMs = 5_000;
/** A stranger has one thing to ask; the answer is given at once. */
const strangerMs = 15_000;
/** Until a no has arrived. */
const refusedMs = 1_000;
/** Connections that have not (yet) shown a member's certificate, of one address and in all. The oldest gives way. */
const maxStrangersOfOne = 8;
const maxStrangers = 64;
/** A peer's beat comes five times a second. */
const peerIdleMs = 10_000;
/** An agent of another cluster with our address in its files, or a crowd, would otherwise fill the journal. */
const warnEveryMs = 60_000;

/** Mutual TLS 1.3 between agents; the same port takes strangers that want to join, without a certificate. */
export class TlsTransport implements Transport {
  private readonly credentials: () => Credentials;
  private readonly host: string;
  private readonly port: number;
  private server: Server | undefined;
  private readonly open = new Set<Channel>();
  private readonly warnedAt = new Map<string, number>();
  private readonly crowd = new Crowd(() => performance.now());
  /** By member, the newest CA by which it has shown a certificate: it takes those of that one, too. */
  private readonly shown = new Map<number, string>();
  /** In the order of their arrival, with the addresses they come from. */
  private readonly strangers = new Map<TLSSocket, string>();

  /**
   * @param credentials called at every use, since the certificate is renewed while the agent runs
   * @param host to listen on: all addresses by default, since at boot the node's own may come later than the agent
   * @param port the same one at all agents of the cluster
   */
  constructor(credentials: () => Credentials, host = "0.0.0.0", port: number = agentPort) {
    this.credentials = credentials;
    this.host = host;
    this.port = port;
  }

  /** @throws ChimeError `agent.port_taken` */
  async listen(serve: Serve, refused: Refused): Promise<void> {
    const { host, port } = this;
    const server = createServer({
      ...this.secureContext(undefined),
      requestCert: true,
      // Strangers have no certificate: who is what is decided in `admit`.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeMs,
    });
    this.server = server;
    this.offerBoth();
    server.on("connection", (socket) => this.count(socket as TLSSocket));
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    server.on("secureConnection", (socket) => this.admit(socket, serve, refused));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) =>
        reject(
          failed("agent.port_taken", `cannot listen on ${host}:${port}: ${cause.code ?? cause.message}`, {
            remedy: `find out with \`ss -ltnp 'sport = :${port}'\` what uses the port, and stop it`,
            cause,
          }),
        ),
      );
      server.listen(port, host, resolve);
    });
  }

  /** To be called when there is a new certificate or CA: connections that come from now on are shown and judged by that. */
  refresh(): void {
    this.server?.setSecureContext(this.secureContext(undefined));
    this.offerBoth();
  }

  /** Who knows of the CA that comes is shown that one's certificate. Of the present CA, too: it once was the one that comes. */
  private offerBoth(): void {
    if (!this.credentials().rollover) return;
    for (const ca of trustedCas(this.credentials())) {
      const hash = caHash(ca);
      this.server?.addContext(serverNameOf(hash), this.secureContext(hash));
    }
  }

  private secureContext(wanted: string | undefined) {
    const { key } = this.credentials();
    const { certificate, ca } = shownTo(this.credentials(), wanted);
    return {
      cert: `${certificate}${ca}`,
      key: key.privateKey,
      ca: trustedCas(this.credentials()),
      minVersion: "TLSv1.3" as const,
    };
  }

  /** Whoever fills the room stands in nobody's way but its own: a member that connects anew is among these at first. */
  private count(socket: TLSSocket): void {
    const from = socket.remoteAddress ?? "";
    socket.on("error", () => socket.destroy());
    if (!this.crowd.admits(from)) {
      this.warn(crowded, from);
      socket.destroy();
      return;
    }
    const all = [...this.strangers.keys()];
    const same = all.filter((other) => this.strangers.get(other) === from);
    const [oldest] = same.length >= maxStrangersOfOne ? same : all;
    if (oldest && (same.length >= maxStrangersOfOne || all.length >= maxStrangers)) {
      this.strangers.delete(oldest);
      oldest.destroy();
    }
    this.strangers.set(socket, from);
    socket.once("close", () => this.strangers.delete(socket));
  }

  private admit(socket: TLSSocket, serve: Serve, refused: Refused): void {
    const presented = peerCertificate(socket);
    if (!presented) {
      const channel = this.track(
        new Channel(socket, {
          limit: strangerFrameBytes,
          questions: 1,
          peer: socket.remoteAddress ?? "a stranger",
          serve: async (method, params) => {
            // It asks: who only fills the room is not to push it out any more. Its place is the turnstile's business.
            this.strangers.delete(socket);
            try {
              return await serve(undefined, method, params);
            } catch (error) {
              setTimeout(() => channel.close(), refusedMs);
              throw error;
            }
          },
        }),
      );
      const limit = setTimeout(() => channel.close(), strangerMs);
      void channel.closed.then(() => clearTimeout(limit));
      return;
    }
    const peer = this.verify(presented, Date.now());
    if (!peer || !socket.authorized) {
      const late = peer ?? this.verify(presented, undefined);
      if (late) refused(late, `its certificate is valid from ${presented.validFrom} to ${presented.validTo}`);
      else this.warn(foreign, socket.remoteAddress ?? "?");
      socket.destroy();
      return;
    }
    this.strangers.delete(socket);
    if (socket.remoteAddress !== undefined) this.crowd.expect(socket.remoteAddress);
    const channel = this.track(
      new Channel(socket, {
        limit: peerFrameBytes,
        peer: peer.name,
        idleMs: peerIdleMs,
        serve: async (method, params) => {
          try {
            return await serve(peer, method, params);
          } catch (error) {
            // It hears why, and then nothing more.
            if (isRemoved(error)) setImmediate(() => channel.close());
            throw error;
          }
        },
      }),
    );
  }

  private warn(what: string, from: string): void {
    if (performance.now() - (this.warnedAt.get(what) ?? Number.NEGATIVE_INFINITY) < warnEveryMs) return;
    this.warnedAt.set(what, performance.now());
    log.warn(what, { from });
  }

  private verify(certificate: X509Certificate, now: number | undefined): PeerIdentity | undefined {
    const { identity } = this.credentials();
    const cas = trustedCas(this.credentials()).map((ca) => new X509Certificate(ca));
    const read = readNodeCertificate(certificate, cas, now);
    return read?.cluster === identity.cluster.id ? read.peer : undefined;
  }

  async dial(target: PeerAddress): Promise<Link> {
    // It may come from there as soon as we go there.
    this.crowd.expect(target.address);
    const { key } = this.credentials();
    const { certificate } = shownTo(this.credentials(), this.shown.get(target.index));
    const options = {
      ca: trustedCas(this.credentials()),
      cert: certificate,
      key: key.privateKey,
      rejectUnauthorized: true,
    };
    return await this.reach(target, options, Date.now());
  }

  async knock(target: PeerAddress): Promise<Link> {
    return await this.reach(target, { rejectUnauthorized: false }, undefined);
  }

  private async reach(target: PeerAddress, options: TlsOptions, now: number | undefined): Promise<Link> {
    const newest = trustedCas(this.credentials()).at(-1) as string;
    const servername = serverNameOf(caHash(newest));
    const socket = await openTls(target.address, this.port, { ...options, servername }, connectMs).catch(
      (cause: unknown) => {
        throw peerUnreachable(target.name, cause instanceof Error ? cause.message : String(cause));
      },
    );
    const presented = peerCertificate(socket);
    const peer = presented && this.verify(presented, now);
    if (!peer || peer.index !== target.index || peer.publicKey !== target.publicKey) {
      socket.destroy();
      throw failed("peer.impostor", `what answers at ${target.address} is not ${target.name}`, {
        node: target.name,
        remedy: `is ${target.address} used twice on the network?`,
      });
    }
    if (presented && isIssuedBy(presented.toString(), newest)) this.shown.set(target.index, caHash(newest));
    return this.track(new Channel(socket, { limit: peerFrameBytes, peer: target.name }));
  }

  private track(channel: Channel): Channel {
    this.open.add(channel);
    void channel.closed.then(() => this.open.delete(channel));
    return channel;
  }

  async close(): Promise<void> {
    for (const socket of this.strangers.keys()) socket.destroy();
    for (const channel of this.open) channel.close();
    const server = this.server;
    if (server?.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const foreign = "refused a connection with a certificate that is none of this cluster's agents";
const crowded = "refused connections: more come in than can be looked at";

function peerCertificate(socket: TLSSocket): X509Certificate | undefined {
  const raw = socket.getPeerCertificate()?.raw;
  return raw ? new X509Certificate(raw) : undefined;
}

/**
 * What whoever connects calls the server (SNI): by which CA it wants its certificate, in the clear. RFC 6066: a host name.
 * @param hash of the CA's key, base64url
 */
export function serverNameOf(hash: string): string {
  return `${Buffer.from(hash, "base64url").subarray(0, 8).toString("hex")}.ca`;
}

interface TlsOptions {
  servername?: string;
  ca?: string[];
  cert?: string;
  key?: string;
  rejectUnauthorized: boolean;
}

/** Something took the connection and let it go before TLS was up. */
export class ClosedEarly extends Error {
  override readonly name = "ClosedEarly";

  constructor() {
    super("closed during the TLS handshake");
  }
}

/** Resolves with the connection when TLS is up. Peers are known by key and index, so names are not compared. */
export function openTls(
  host: string,
  port: number,
  options: TlsOptions,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...options,
      host,
      port,
      minVersion: "TLSv1.3",
      checkServerIdentity: () => undefined,
    });
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    const abort = () => fail(new Error("given up"));
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    function fail(error: Error) {
      settle();
      socket.destroy();
      reject(error);
    }
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) return abort();
    socket.on("error", (error: NodeJS.ErrnoException) =>
      fail(error.code === "ECONNRESET" || error.code === "EPIPE" ? new ClosedEarly() : plain(error, host)),
    );
    socket.once("close", () => fail(new ClosedEarly()));
    socket.once("secureConnect", () => {
      settle();
      resolve(socket);
    });
  });
}

/** What errno means to an operator. */
function plain(error: NodeJS.ErrnoException, host: string): Error {
  if (error.code === "ECONNREFUSED" && isSilentNeighbor(host))
    return new Error("no machine answers at this address");
  const meaning: Record<string, string> = {
    ECONNREFUSED: "connection refused (no agent is listening there)",
    EHOSTUNREACH: "no route to host",
    ENETUNREACH: "network unreachable",
    ETIMEDOUT: "timed out",
  };
  return new Error(meaning[error.code ?? ""] ?? error.message);
}
