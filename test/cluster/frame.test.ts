import { describe, expect, test } from "bun:test";
import { BytesAnswer, encodeBytes, encodeFrame, FrameError, FrameReader } from "../../src/cluster/frame.ts";
import { seeded } from "./support.ts";

function header(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

const plain = (message: unknown) =>
  message instanceof BytesAnswer ? [message.id, [...message.bytes]] : message;

describe("frames", () => {
  test("arrive whole, however the stream is cut", () => {
    const random = seeded(1);
    for (let round = 0; round < 200; round++) {
      const messages = Array.from({ length: Math.floor(random() * 6) }, (_, id) =>
        random() < 0.5
          ? { id, text: "ä".repeat(Math.floor(random() * 300)) }
          : new BytesAnswer(2 ** 40 + id, new Uint8Array(Math.floor(random() * 900)).fill(id + 1)),
      );
      const stream = Buffer.concat(
        messages.map((one) => (one instanceof BytesAnswer ? encodeBytes(one) : encodeFrame(one))),
      );
      const reader = new FrameReader(1024);
      const got: unknown[] = [];
      for (let at = 0; at < stream.length;) {
        const size = 1 + Math.floor(random() * (random() < 0.5 ? 5 : 500));
        got.push(...reader.push(stream.subarray(at, at + size)));
        at += size;
      }
      expect(got.map(plain)).toEqual(messages.map(plain));
      expect(reader.partial).toBe(false);
    }
  });

  test("the limit is of the body, and counts before the body is there", () => {
    const reader = new FrameReader(10);
    expect(reader.push(Buffer.concat([header(10), Buffer.from('"12345678"')]))).toEqual(["12345678"]);
    expect(() => reader.push(header(11))).toThrow(FrameError);
    expect(() => new FrameReader(10).push(header(0xffffffff))).toThrow(FrameError);
    expect(() => new FrameReader(10).push(header(0))).toThrow(FrameError);
  });

  test("of bytes say whose answer they are, and have the same limit", () => {
    const frame = encodeBytes(new BytesAnswer(7, Buffer.from("abcd")));
    expect(new FrameReader(10).push(frame).map(plain)).toEqual([[7, [...Buffer.from("abcd")]]]);
    expect(new FrameReader(6).push(encodeBytes(new BytesAnswer(7, new Uint8Array()))).map(plain)).toEqual([
      [7, []],
    ]);
    expect(() => new FrameReader(9).push(frame)).toThrow(FrameError);
    expect(() => new FrameReader(10).push(header(0x8000_0005))).toThrow(FrameError);
  });

  test("a frame that has begun is partial until it ends", () => {
    const reader = new FrameReader(10);
    reader.push(Buffer.from([0]));
    expect(reader.partial).toBe(true);
    reader.push(Buffer.from([0, 0, 1, 0x31]));
    expect(reader.partial).toBe(false);
  });

  test("random bytes end in a FrameError or in messages, never in anything else", () => {
    const random = seeded(2);
    for (let round = 0; round < 500; round++) {
      const reader = new FrameReader(64);
      try {
        for (let chunk = 0; chunk < 20; chunk++) {
          const bytes = Buffer.from(
            Array.from({ length: 1 + Math.floor(random() * 40) }, () => random() * 256),
          );
          // Small lengths, so that bodies are reached as well.
          if (random() < 0.7) bytes.fill(0, 0, Math.min(3, bytes.length));
          if (random() < 0.3) bytes[0] = 0x80;
          reader.push(bytes);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }
  });

  test("JSON that is nested to death is an error like any other", () => {
    const deep = Buffer.from("[".repeat(500_000) + "]".repeat(500_000));
    const reader = new FrameReader(1_048_576);
    try {
      reader.push(Buffer.concat([header(deep.length), deep]));
    } catch (error) {
      expect(error).toBeInstanceOf(FrameError);
    }
  });
});
