/** Names that every JavaScript object answers to, whoever wrote the text that holds them. */
const prototypeNames = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];

const numbers = [
  0,
  -0,
  -1,
  1,
  0.5,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
  -1e308,
  5e-324,
];

const words = [
  ...prototypeNames,
  ..."\0\t\n\r\"'`\\/.,:;=[]{}()<>#|&-+ ".split(""),
  "\r\n",
  "..",
  "../../etc/shadow",
  "é",
  "\u00AD",
  "\u2028",
  "\u{1F600}",
  "\uD800",
  "\u001B[2J",
  "%s%n",
  "$(reboot)",
  "null",
  "true",
  "NaN",
  "-1",
  "1e999",
  "9".repeat(400),
  "-- ",
];

/** How often a hostile sender repeats something: enough to see work that grows faster than its input. */
const longRun = 3_000;

/** Hostile input for parsers, the same for the same seed (mulberry32). */
export class Inputs {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.below(most + 1) }, () => this.below(256)));
  }

  /** Characters, words that mean something somewhere, and now and then a long run of one of them. */
  text(most = 40): string {
    if (this.once(30))
      return this.pick(words)
        .repeat(1 + this.below(longRun))
        .slice(0, longRun);
    let text = "";
    for (let left = this.below(most + 1); left > 0; left--) {
      text += this.once(4) ? this.pick(words) : String.fromCharCode(32 + this.below(95));
    }
    return text;
  }

  number(): number {
    return this.once(3) ? this.below(2 ** 31) : this.pick(numbers);
  }

  /** Any JSON value; now and then a very deep or a very long one. */
  json(depth = 3): unknown {
    if (this.once(60)) return nested(1 + this.below(longRun));
    if (this.once(60))
      return Array(this.below(longRun)).fill(this.once(2) ? this.number() : this.pick(words));
    const kind = this.below(depth > 0 ? 8 : 6);
    if (kind === 0) return null;
    if (kind === 1) return this.once(2);
    if (kind <= 3) return this.number();
    if (kind <= 5) return this.text();
    if (kind === 6) return Array.from({ length: this.below(4) }, () => this.json(depth - 1));
    return object(Array.from({ length: this.below(4) }, () => [this.key(), this.json(depth - 1)]));
  }

  key(): string {
    return this.once(2) ? this.pick(prototypeNames) : this.text(6);
  }

  /** A valid text with up to four changes, or none at all, or something that never was one. */
  damagedText(valid: string, more: readonly string[] = []): string {
    if (this.once(20)) return this.text(200);
    let text = valid;
    for (let left = this.below(5); left > 0; left--) text = this.#changedText(text, more);
    return text;
  }

  #changedText(text: string, more: readonly string[]): string {
    const at = this.below(text.length + 1);
    const size = this.once(5) ? this.below(text.length + 1) : this.below(8);
    const [before, part, after] = [text.slice(0, at), text.slice(at, at + size), text.slice(at + size)];
    switch (this.below(7)) {
      case 0:
        return before;
      case 1:
        return before + after;
      case 2:
        return before + part + part + after;
      case 3:
        return before + this.text(4) + after;
      case 4:
        return before + (more.length > 0 ? this.pick(more) : this.pick(words)) + part + after;
      case 5:
        return before.length < 20_000 ? before + part.repeat(this.below(100)) + after : before;
      default:
        return after + part + before;
    }
  }

  damagedBytes(valid: Uint8Array): Buffer {
    if (this.once(20)) return this.bytes(600);
    let bytes = Buffer.from(valid);
    for (let left = this.below(5); left > 0; left--) {
      const at = this.below(bytes.length + 1);
      const size = this.once(5) ? this.below(bytes.length + 1) : this.below(8);
      const [before, part, after] = [
        bytes.subarray(0, at),
        bytes.subarray(at, at + size),
        bytes.subarray(at + size),
      ];
      const parts = [
        [before],
        [before, after],
        [before, part, part, after],
        [before, this.bytes(8), after],
        [before, Buffer.from(part).fill(this.pick([0, 0xff, 0x80, 0x7f])), after],
        [before, Buffer.from(part.map((byte) => byte ^ (1 << this.below(8)))), after],
      ];
      bytes = Buffer.concat(this.pick(parts));
    }
    return bytes;
  }

  /** The JSON text of a valid value in which up to three places hold something else. */
  damagedJson(valid: unknown): string {
    let value: unknown = structuredClone(valid);
    for (let left = this.below(4); left > 0; left--) value = this.#changedJson(value);
    const text = JSON.stringify(value) ?? "";
    return this.once(10) ? this.#changedText(text, []) : text;
  }

  #changedJson(value: unknown): unknown {
    // The deeper a place, the more there are: it goes down more often than it stays.
    if (typeof value !== "object" || value === null || this.once(8)) return this.json();
    if (Array.isArray(value)) {
      const list: unknown[] = [...value];
      const at = this.below(list.length + 1);
      const change = this.below(4);
      if (at === list.length || change === 0) list.splice(at, 0, this.once(2) ? this.json() : list.at(-1));
      else if (change === 1) list.splice(at, 1);
      else list[at] = this.#changedJson(list[at]);
      return list;
    }
    const entries = Object.entries(value);
    const at = this.below(entries.length + 1);
    const entry = entries[at];
    const change = this.below(6);
    if (!entry || change === 0) entries.push([this.key(), this.json()]);
    else if (change === 1) entries.splice(at, 1);
    else entries[at] = [entry[0], this.#changedJson(entry[1])];
    return object(entries);
  }
}

/** With `__proto__` as a property of its own, as JSON.parse makes it. */
function object(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return made;
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let left = depth; left > 0; left--) value = left % 2 === 0 ? [value] : { a: value };
  return value;
}
