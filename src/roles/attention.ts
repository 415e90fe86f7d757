import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** A server on the same machine accepts at once, or hangs. */
const connectMs = 2_000;

export interface ShownCertificate {
  /** SHA-256, as X509Certificate tells it. */
  shown: string;
  /** When it ends, ms since the epoch. */
  until: number;
}

interface AttentionOptions {
  /** Said once: some servers have more patience then. */
  greeting?: string;
  /** It speaks TLS. By whose certificate is not asked: nothing is said to it, and one that has ended is seen, too. */
  tls?: boolean;
}

/**
 * An open connection on which nothing is said: it ends at the moment at which the server does (or after a while, since
 * servers close connections that nobody uses).
 */
export class Attention {
  readonly #socket: Socket;
  /** What the server showed; undefined without TLS. */
  readonly certificate: ShownCertificate | undefined;

  private constructor(socket: Socket, certificate: ShownCertificate | undefined) {
    this.#socket = socket;
    this.certificate = certificate;
  }

  /** @returns undefined where nobody accepts */
  static open(
    address: string,
    port: number,
    onEnd: () => void,
    { greeting = "", tls = false }: AttentionOptions = {},
  ): Promise<Attention | undefined> {
    return new Promise((resolve) => {
      const where = { host: address, port, timeout: connectMs };
      const socket = tls ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
      socket.once("timeout", () => socket.destroy());
      socket.on("error", () => socket.destroy());
      const refused = () => resolve(undefined);
      socket.once("close", refused);
      socket.once(tls ? "secureConnect" : "connect", () => {
        socket.setTimeout(0);
        socket.off("close", refused);
        socket.once("close", onEnd);
        socket.resume();
        if (greeting) socket.write(greeting);
        resolve(new Attention(socket, tls ? shown(socket as TLSSocket) : undefined));
      });
    });
  }

  /** Nobody is told. */
  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }
}

function shown(socket: TLSSocket): ShownCertificate {
  const { fingerprint256, valid_to: validTo } = socket.getPeerCertificate();
  return { shown: fingerprint256, until: Date.parse(validTo) };
}
