import { connect, type Socket } from "node:net";

/** A server on the same machine accepts at once, or hangs. */
const connectMs = 2_000;

/**
 * An open connection to a server that says nothing: it ends at the moment at which the server does (or after a while,
 * since servers close connections that nobody uses).
 */
export class Attention {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @returns undefined where nobody accepts */
  static open(address: string, port: number, onEnd: () => void): Promise<Attention | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host: address, port, timeout: connectMs });
      socket.once("timeout", () => socket.destroy());
      socket.on("error", () => socket.destroy());
      const refused = () => resolve(undefined);
      socket.once("close", refused);
      socket.once("connect", () => {
        socket.setTimeout(0);
        socket.off("close", refused);
        socket.once("close", onEnd);
        socket.resume();
        resolve(new Attention(socket));
      });
    });
  }

  /** Nobody is told. */
  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }
}
