import { failed } from "../../../core/errors.ts";

/** Floats are numbers, integers bigints, so that 1.0 and 1 differ. Texts are bytes: one character each (latin1). */
export type Value = number | bigint | string | boolean | null;

/** The bytes end in the middle of what was asked for: more of them have to come. */
const incomplete = new Error("incomplete");

/**
 * What the server writes of MessagePack, from bytes that may end anywhere. The library for it makes 1.0 and 1 the same
 * number, and takes an answer as a whole.
 */
export class Unpacker {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Adds what came. */
  push(bytes: Uint8Array): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#bytes = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes]);
    this.#at = 0;
  }

  /** Bytes that were not read yet. */
  get rest(): number {
    return this.#bytes.length - this.#at;
  }

  /** All of `unit` or nothing: undefined when it is not all there, and then it can be read again. */
  whole<T>(unit: () => T): T | undefined {
    const start = this.#at;
    try {
      return unit();
    } catch (error) {
      if (error !== incomplete) throw error;
      this.#at = start;
      return undefined;
    }
  }

  mapSize(): number {
    const tag = this.#byte();
    if ((tag & 0xf0) === 0x80) return tag & 0x0f;
    if (tag === 0xde) return this.#uint(2);
    if (tag === 0xdf) return this.#uint(4);
    throw unknown("a map", tag);
  }

  arraySize(): number {
    const tag = this.#byte();
    if ((tag & 0xf0) === 0x90) return tag & 0x0f;
    if (tag === 0xdc) return this.#uint(2);
    if (tag === 0xdd) return this.#uint(4);
    throw unknown("an array", tag);
  }

  text(): string {
    const value = this.value();
    if (typeof value !== "string") throw unknown("a text", 0);
    return value;
  }

  integer(): bigint {
    const value = this.value();
    if (typeof value !== "bigint") throw unknown("an integer", 0);
    return value;
  }

  value(): Value {
    const tag = this.#byte();
    if (tag <= 0x7f) return BigInt(tag);
    if (tag >= 0xe0) return BigInt(tag - 0x100);
    if ((tag & 0xe0) === 0xa0) return this.#text(tag & 0x1f);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return this.#bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#take(8));
      case 0xcc:
        return BigInt(this.#uint(1));
      case 0xcd:
        return BigInt(this.#uint(2));
      case 0xce:
        return BigInt(this.#uint(4));
      case 0xcf:
        return this.#bytes.readBigUInt64BE(this.#take(8));
      case 0xd0:
        return BigInt(this.#bytes.readInt8(this.#take(1)));
      case 0xd1:
        return BigInt(this.#bytes.readInt16BE(this.#take(2)));
      case 0xd2:
        return BigInt(this.#bytes.readInt32BE(this.#take(4)));
      case 0xd3:
        return this.#bytes.readBigInt64BE(this.#take(8));
      case 0xd9:
        return this.#text(this.#uint(1));
      case 0xda:
        return this.#text(this.#uint(2));
      case 0xdb:
        return this.#text(this.#uint(4));
      default:
        throw unknown("a value", tag);
    }
  }

  /** Passes over whatever comes, however deep that is. */
  skip(): void {
    for (let left = 1; left > 0; left--) {
      const tag = this.#bytes[this.#at];
      if (tag === undefined) throw incomplete;
      if ((tag & 0xf0) === 0x80 || tag === 0xde || tag === 0xdf) left += 2 * this.mapSize();
      else if ((tag & 0xf0) === 0x90 || tag === 0xdc || tag === 0xdd) left += this.arraySize();
      else this.value();
    }
  }

  #byte(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  #uint(bytes: 1 | 2 | 4): number {
    return this.#bytes.readUIntBE(this.#take(bytes), bytes);
  }

  #text(length: number): string {
    const start = this.#take(length);
    return this.#bytes.toString("latin1", start, start + length);
  }

  /** Where the next so many bytes begin. */
  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw incomplete;
    this.#at = start + length;
    return start;
  }
}

function unknown(what: string, tag: number) {
  return failed("influxdb.answer", `the server's answer has 0x${tag.toString(16)} in place of ${what}`, {
    remedy: "use a version of InfluxDB that docs/systems.md names",
  });
}
