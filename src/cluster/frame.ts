/**
 * Messages on the wire: a length (4 bytes, big-endian, of what follows), then that much JSON in UTF-8. Or, where the
 * length's first bit is set, an answer that is bytes: the number of its question (6 bytes), then the bytes.
 */

const headerBytes = 4;
const bytesFlag = 0x8000_0000;
const idBytes = 6;

/** The sender broke the format or a limit; the connection is closed without an answer. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

export function encodeFrame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message), "utf8");
  const frame = Buffer.allocUnsafe(headerBytes + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, headerBytes);
  return frame;
}

/** An answer that is bytes: as JSON they would take a third more of the network, and ten times as long on both sides. */
export class BytesAnswer {
  readonly id: number;
  readonly bytes: Uint8Array;

  constructor(id: number, bytes: Uint8Array) {
    this.id = id;
    this.bytes = bytes;
  }
}

export function encodeBytes({ id, bytes }: BytesAnswer): Buffer {
  const length = idBytes + bytes.length;
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame.writeUInt32BE(bytesFlag + length, 0);
  frame.writeUIntBE(id, headerBytes, idBytes);
  frame.set(bytes, headerBytes + idBytes);
  return frame;
}

/** Cuts a stream of bytes into messages: what JSON says, or a `BytesAnswer`. Holds at most one frame and what came with the last chunk. */
export class FrameReader {
  /** Largest body taken; may change between frames (a stranger may send less than a peer). */
  limit: number;
  private chunks: Buffer[] = [];
  private buffered = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** True while a frame has begun and not yet ended: what the slow-sender limit watches. */
  get partial(): boolean {
    return this.buffered > 0;
  }

  /** @throws FrameError for an empty, an oversized or an unreadable frame; the reader is then of no more use */
  push(chunk: Buffer): unknown[] {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    const messages: unknown[] = [];
    while (this.buffered >= headerBytes) {
      const word = this.peekWord();
      const isBytes = word >= bytesFlag;
      const length = isBytes ? word - bytesFlag : word;
      if (length < (isBytes ? idBytes : 1) || length > this.limit) {
        throw new FrameError(`a frame of ${length} bytes`);
      }
      if (this.buffered < headerBytes + length) break;
      const body = this.take(headerBytes + length).subarray(headerBytes);
      messages.push(
        isBytes ? new BytesAnswer(body.readUIntBE(0, idBytes), body.subarray(idBytes)) : parseBody(body),
      );
    }
    return messages;
  }

  private peekWord(): number {
    const [first] = this.chunks;
    if (first && first.length >= headerBytes) return first.readUInt32BE(0);
    this.chunks = [Buffer.concat(this.chunks)];
    return (this.chunks[0] as Buffer).readUInt32BE(0);
  }

  private take(bytes: number): Buffer {
    const all = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    this.buffered = all.length - bytes;
    this.chunks = this.buffered > 0 ? [all.subarray(bytes)] : [];
    return all.subarray(0, bytes);
  }
}

function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new FrameError("a frame that is not JSON");
  }
}
