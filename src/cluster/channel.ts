import type { Socket } from "node:net";
import * as v from "valibot";
import { ChimeError, errorJson, Exit, failed, toChimeError } from "../core/errors.ts";
import { BytesAnswer, encodeBytes, encodeFrame, FrameReader } from "./frame.ts";

/** From somebody who has not proved to be a member. A request to join takes about 1 KiB. */
export const strangerFrameBytes = 16_384;
/** From a member. */
export const peerFrameBytes = 1_048_576;
/** Time for the rest of a frame that has begun. */
const slowFrameMs = 5_000;
/** Questions of one peer that may be worked on at once. */
const maxInFlight = 64;
/** What may wait to be sent to a peer that does not read. */
const maxUnsentBytes = 4 * peerFrameBytes;

const method = v.pipe(v.string(), v.maxLength(64));
const id = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const text = v.pipe(v.string(), v.maxLength(4096));
const errorSchema = v.object({
  code: v.pipe(v.string(), v.regex(/^[a-z0-9_.-]{1,64}$/)),
  message: text,
  node: v.nullable(text),
  remedy: v.nullable(text),
  exit: v.picklist(Object.values(Exit)),
});
const envelope = v.union([
  v.strictObject({ id: v.optional(id), method, params: v.optional(v.unknown()) }),
  v.strictObject({ id, error: errorSchema }),
  v.strictObject({ id, result: v.optional(v.unknown()) }),
]);

export interface ChannelOptions {
  /** Largest frame taken from the other side. */
  limit: number;
  /** Whom errors are attributed to. */
  peer: string;
  /** Answers requests, with bytes or JSON, and takes notes. Without it, whatever is asked closes the channel. */
  serve?: (method: string, params: unknown) => Promise<unknown>;
  /** How many it may ask in all; one more closes the channel. */
  questions?: number;
  /** Closes the channel after this long without a frame from the other side. */
  idleMs?: number;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: ChimeError): void;
  timer: NodeJS.Timeout;
}

/** Questions and answers over one connection, in both directions, each with its time limit. */
export class Channel {
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private readonly options: ChannelOptions;
  private readonly reader: FrameReader;
  private readonly pending = new Map<number, Pending>();
  private lastId = 0;
  private inFlight = 0;
  private asked = 0;
  private slow: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: ChannelOptions) {
    this.socket = socket;
    this.options = options;
    this.reader = new FrameReader(options.limit);
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        clearTimeout(this.slow);
        this.failPending();
        resolve();
      });
    });
    socket.setNoDelay(true);
    if (options.idleMs) socket.setTimeout(options.idleMs, () => this.close());
    socket.on("error", () => this.close());
    socket.on("end", () => this.close());
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
  }

  /** @throws ChimeError the other side's own, or `peer.timeout`, `peer.unreachable` */
  request(method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(this.unreachable());
      const timer = setTimeout(() => {
        this.pending.delete(id);
        reject(
          failed(
            "peer.timeout",
            `${this.options.peer} did not answer ${method} within ${timeoutMs / 1000} s`,
            {
              node: this.options.peer,
              remedy: "chime-node status here, and journalctl -u chime-node on that node",
            },
          ),
        );
      }, timeoutMs);
      this.pending.set(id, { resolve, reject, timer });
      this.send({ id, method, params });
    });
  }

  /** Says something that needs no answer; lost when the connection is. */
  notify(method: string, params: unknown): void {
    this.send({ method, params });
  }

  close(): void {
    this.socket.destroy();
  }

  private send(message: unknown): void {
    if (this.socket.destroyed) return;
    this.socket.write(message instanceof BytesAnswer ? encodeBytes(message) : encodeFrame(message));
    if (this.socket.writableLength > maxUnsentBytes) this.close();
  }

  private receive(chunk: Buffer): void {
    try {
      for (const message of this.reader.push(chunk)) {
        if (message instanceof BytesAnswer)
          this.settle(message.id, (waiting) => waiting.resolve(message.bytes));
        else this.dispatch(v.parse(envelope, message));
      }
    } catch {
      // Broken framing, an oversized frame or an unknown shape: nothing useful can follow.
      return this.close();
    }
    if (!this.reader.partial) {
      clearTimeout(this.slow);
      this.slow = undefined;
    } else {
      this.slow ??= setTimeout(() => this.close(), slowFrameMs);
    }
  }

  private dispatch(message: v.InferOutput<typeof envelope>): void {
    if ("method" in message) {
      const { serve, questions = Number.POSITIVE_INFINITY } = this.options;
      if (!serve || this.inFlight >= maxInFlight || this.asked >= questions) return this.close();
      this.asked++;
      this.inFlight++;
      void this.answer(serve, message.method, message.params, message.id);
      return;
    }
    this.settle(message.id, (waiting) => {
      if ("error" in message) waiting.reject(this.remoteError(message.error));
      else waiting.resolve(message.result);
    });
  }

  /** The answer to a question that nobody waits for any more is dropped. */
  private settle(id: number, tell: (waiting: Pending) => void): void {
    const waiting = this.pending.get(id);
    if (!waiting) return;
    this.pending.delete(id);
    clearTimeout(waiting.timer);
    tell(waiting);
  }

  private async answer(
    serve: NonNullable<ChannelOptions["serve"]>,
    method: string,
    params: unknown,
    id: number | undefined,
  ): Promise<void> {
    try {
      const result = await serve(method, params);
      if (id !== undefined)
        this.send(result instanceof Uint8Array ? new BytesAnswer(id, result) : { id, result });
    } catch (thrown) {
      const error = v.isValiError(thrown) ? misasked(method, thrown.message) : thrown;
      if (id !== undefined) this.send({ id, error: { ...errorJson(error), exit: toChimeError(error).exit } });
    } finally {
      this.inFlight--;
    }
  }

  private remoteError(error: v.InferOutput<typeof errorSchema>): ChimeError {
    return new ChimeError(error.exit, error.code, error.message, {
      node: error.node ?? this.options.peer,
      remedy: error.remedy ?? undefined,
    });
  }

  private failPending(): void {
    for (const waiting of this.pending.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(this.unreachable());
    }
    this.pending.clear();
  }

  private unreachable(): ChimeError {
    return peerUnreachable(this.options.peer, "the connection was closed");
  }
}

function misasked(method: string, why: string): ChimeError {
  return failed("peer.bad_request", `this agent cannot read what it was asked (${method}: ${why})`, {
    remedy: "chime-node version, on both nodes: run the same release on them",
  });
}

export function peerUnreachable(peer: string, why: string): ChimeError {
  return failed("peer.unreachable", `${peer} cannot be reached: ${why}`, {
    node: peer,
    remedy: "chime-node status; is that node up, and is TCP port 8820 open between the nodes?",
  });
}
