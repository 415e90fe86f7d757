/** Writes MessagePack as the server does: integers in the shortest form, floats always in eight bytes. */
export type Packed =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Packed[]
  | { readonly [key: string]: Packed };

/** Texts are UTF-8; bytes stand for a text that need not be. */
export function pack(value: Packed): Buffer {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === "number") {
    const bytes = Buffer.alloc(9, 0xcb);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (typeof value === "bigint") return packInteger(value);
  if (typeof value === "string") return packText(Buffer.from(value));
  if (value instanceof Uint8Array) return packText(Buffer.from(value));
  if (Array.isArray(value)) return Buffer.concat([head(0x90, 16, 0xdc, value.length), ...value.map(pack)]);
  const entries = Object.entries(value);
  const pieces = entries.flatMap(([key, each]) => [packText(Buffer.from(key)), pack(each)]);
  return Buffer.concat([head(0x80, 16, 0xde, entries.length), ...pieces]);
}

function packText(bytes: Buffer): Buffer {
  const { length } = bytes;
  const size =
    length < 32
      ? Buffer.from([0xa0 | length])
      : length < 2 ** 8
        ? Buffer.from([0xd9, length])
        : sized(length < 2 ** 16 ? 0xda : 0xdb, length, length < 2 ** 16 ? 2 : 4);
  return Buffer.concat([size, bytes]);
}

/** The short form up to so many, else with two bytes, else with four. */
function head(short: number, below: number, long: number, length: number): Buffer {
  if (length < below) return Buffer.from([short | length]);
  return length < 2 ** 16 ? sized(long, length, 2) : sized(long + 1, length, 4);
}

function sized(tag: number, length: number, bytes: 2 | 4): Buffer {
  const out = Buffer.alloc(1 + bytes, tag);
  out.writeUIntBE(length, 1, bytes);
  return out;
}

function packInteger(value: bigint): Buffer {
  if (value >= 0n && value < 128n) return Buffer.from([Number(value)]);
  if (value < 0n && value >= -32n) return Buffer.from([Number(value) & 0xff]);
  const bits = ([8, 16, 32, 64] as const).find(
    (n) => value === (value < 0n ? BigInt.asIntN(n, value) : BigInt.asUintN(n, value)),
  );
  if (bits === undefined) throw new RangeError(`${value} has more than 64 bits`);
  const tag = (value < 0n ? 0xd0 : 0xcc) + Math.log2(bits / 8);
  const out = Buffer.alloc(1 + bits / 8, tag);
  let rest = BigInt.asUintN(bits, value);
  for (let at = bits / 8; at > 0; at--, rest >>= 8n) out[at] = Number(rest & 0xffn);
  return out;
}
