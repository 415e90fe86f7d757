import { log } from "../../core/log.ts";

/** Datagrams of one port, best effort. */
export interface Datagrams {
  /** What cannot be sent is lost, as on the network. @param address IPv4 or IPv6, without a zone */
  send(bytes: Uint8Array, address: string): void;
  /** Times that the port was closed for the rest of a second, since more came than is looked at. */
  readonly floods: number;
  /** Why the port cannot be opened, as the system's code, until it can: it is tried again by itself. */
  readonly obstacle: string | undefined;
  close(): void;
}

export interface UdpOptions {
  /** As TlsTransport's: all addresses (IPv4) by default, since at boot the node's own may come later than the agent. */
  host: string;
  /** The same one at all agents of the cluster. */
  port: number;
  /** The bytes are the callee's only until it returns. */
  receive: (bytes: Uint8Array, address: string) => void;
  /** What is taken a second at most. */
  maxPerSecond?: number;
  /** After this long a port that is taken is tried again. */
  againMs?: number;
}

/**
 * Datagrams, and errors of those that were sent, taken a second. Each costs 6 to 10 µs, whatever becomes of it: a flood that is
 * cut off there, forged packets included, takes 8 to 12 % of a core. A member of 256 hears some tens.
 */
const defaultPerSecond = 10_000;
const secondMs = 1_000;
/** Of a port that another program has: it costs two system calls. */
const defaultAgainMs = 5_000;
/** An answer to another datagram may come between two tries. */
const maxTries = 3;

/**
 * Bun's own socket: node:dgram stands on it here, and would add an event and two objects a datagram. It has no way to stop
 * reading, so in a flood the port is closed for the rest of the second: the kernel drops then what nobody will look at.
 * A port that is taken is no error: gossip goes by TCP until it is free.
 */
export async function openUdp(options: UdpOptions): Promise<Datagrams> {
  const socket = new UdpPort(options);
  await socket.open();
  return socket;
}

class UdpPort implements Datagrams {
  readonly #options: UdpOptions;
  #socket: Bun.udp.Socket<"buffer"> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** When the second began in which `#taken` came; monotonic. */
  #since = Number.NEGATIVE_INFINITY;
  #taken = 0;
  floods = 0;
  obstacle: string | undefined;

  constructor(options: UdpOptions) {
    this.#options = options;
  }

  /** Now, or as soon as it can be had. */
  async open(): Promise<void> {
    const { host, port, againMs = defaultAgainMs } = this.#options;
    try {
      const socket = await Bun.udpSocket({
        hostname: host,
        port,
        socket: {
          data: (from, bytes, _port, address) => this.#receive(from, bytes, address),
          // What the network says of a datagram that we sent: it is lost. Anybody can forge such a word.
          error: () => void (this.#socket && this.#mayTake()),
        },
      });
      if (this.obstacle !== undefined) log.info(`UDP port ${port} is open now`);
      this.obstacle = undefined;
      if (this.#closed) socket.close();
      else this.#socket = socket;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const obstacle = code ?? message;
      if (this.obstacle !== obstacle)
        log.error(`UDP port ${port} on ${host} cannot be opened (${obstacle}): it is tried again by itself`);
      this.obstacle = obstacle;
      if (!this.#closed) this.#reopen(againMs);
    }
  }

  #receive(socket: Bun.udp.Socket<"buffer">, bytes: Uint8Array, address: string): void {
    // What was read before it was closed comes all the same.
    if (this.#socket === socket && this.#mayTake()) this.#options.receive(bytes, plainAddress(address));
  }

  #mayTake(): boolean {
    const now = performance.now();
    if (now - this.#since >= secondMs) [this.#since, this.#taken] = [now, 0];
    if (++this.#taken <= (this.#options.maxPerSecond ?? defaultPerSecond)) return true;
    this.#rest(secondMs - (now - this.#since));
    return false;
  }

  #rest(ms: number): void {
    if (this.floods++ === 0) log.warn("UDP: more comes in than is looked at; gossip goes by TCP meanwhile");
    this.#socket?.close();
    this.#socket = undefined;
    this.#reopen(ms);
  }

  #reopen(ms: number): void {
    // Somebody else may take the port in between.
    this.#again = setTimeout(() => void this.open(), ms);
  }

  send(bytes: Uint8Array, address: string): void {
    const { port } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        this.#socket?.send(bytes, port, address);
        return;
      } catch (error) {
        // The first may be the network's word on an earlier datagram to another node, after which nothing was sent
        // (udp(7)); from the second on it is about this one: no route, another address family, a full buffer.
        if (tries < maxTries) continue;
        log.debug(`UDP to ${address}:`, error);
        return;
      }
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#again);
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** A socket that listens on `::` names IPv4 senders by their mapped addresses. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
}
