import { connect, type Socket } from "node:net";

/** A server on the same machine accepts at once, or hangs. */
const connectMs = 2_000;

/**
 * An open connection on which nothing is said: it ends at the moment at which the server does (or after a while, since
 * servers close connections that nobody uses).
 */
export class Attention {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * @param greeting said once: some servers have more patience then
   * @returns undefined where nobody accepts
   */
  static open(
    address: string,
    port: number,
    onEnd: () => void,
    greeting = "",
  ): Promise<Attention | undefined> {
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
        if (greeting) socket.write(greeting);
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
