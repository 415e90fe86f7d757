import { failed } from "../../../core/errors.ts";
import { formOf, isSayable, lineOf, valueText, type Form } from "./line.ts";
import type { Value } from "./msgpack.ts";
import type { Block, Row, Tag } from "./read.ts";
import { opposite, which, type Which } from "./sides.ts";

/** One side's rows, as they come. */
export interface Rows {
  blocks: AsyncIterable<Block>;
  /** Names of fields that are unsigned there (schema.ts). */
  unsigned: ReadonlySet<string>;
}

/** What was found in some more rows. */
export interface Differences {
  /** Lines that a side has to be given so that it has what the other one has; by their bytes, without an end. */
  mine: string[];
  other: string[];
  /** Points that a side lacks, and that no line can say (line.ts). */
  unsayable: Record<Which, number>;
  /** Points that were compared, or that one side alone has. */
  points: number;
  /** Values in the lines that one side alone has. */
  values: number;
  /** Values that both have of the same field of the same point, and that differ. */
  conflicts: number;
}

/**
 * What of one measurement and range each side lacks, point by point and value by value. Both come in the same order, so that
 * only what is being compared is in memory, however much it is.
 * @param authority whose value counts where both have one; without, neither is touched
 * @throws ChimeError `influxdb.order`, and of the rows
 */
export async function* differences(
  measurement: string,
  mine: Rows,
  other: Rows,
  authority: Which | undefined,
): AsyncGenerator<Differences, void> {
  const name = Buffer.from(measurement).toString("latin1");
  const [a, b] = [new Cursor(name, mine), new Cursor(name, other)];
  try {
    for (;;) {
      if (a.isEmpty) await a.load();
      if (b.isEmpty) await b.load();
      if (!a.block && !b.block) return;
      yield merge(a, b, authority);
    }
  } finally {
    await Promise.all([a.end(), b.end()]);
  }
}

/** As far as the rows go that are there. */
function merge(a: Cursor, b: Cursor, authority: Which | undefined): Differences {
  const unsayable = { mine: 0, other: 0 };
  const found: Differences = { mine: [], other: [], unsayable, points: 0, values: 0, conflicts: 0 };
  const series = !a.block ? 1 : !b.block ? -1 : compareTags(a.block.tags, b.block.tags);
  if (series !== 0) {
    const [ahead, taker] = series < 0 ? ([a, "other"] as const) : ([b, "mine"] as const);
    for (let row = ahead.row; row; row = ahead.row) {
      give(taker, ahead.form, row, found);
      found.points++;
      ahead.next();
    }
    return found;
  }
  const pairs = pairFields(a, b);
  for (let [left, right] = [a.row, b.row]; left && right; [left, right] = [a.row, b.row]) {
    found.points++;
    if (left.time < right.time) give("other", a.form, left, found);
    else if (left.time > right.time) give("mine", b.form, right, found);
    else compareRows(pairs, a.form, left, right, authority, found);
    const order = left.time - right.time;
    if (order <= 0n) a.next();
    if (order >= 0n) b.next();
  }
  return found;
}

function give(taker: Which, form: Form, row: Row, found: Differences): void {
  const line = lineOf(form, row);
  if (line === "") return;
  if (isSayable(form, row)) found[taker].push(line);
  else found.unsayable[taker]++;
  for (const value of row.values) if (value !== null) found.values++;
}

/** A field that one of them knows: where it stands in their rows, -1 where it does not. */
interface FieldPair {
  key: string;
  at: Readonly<Record<Which, number>>;
  unsigned: Readonly<Record<Which, boolean>>;
  isSayable: boolean;
}

function pairFields({ form: mine }: Cursor, { form: other }: Cursor): FieldPair[] {
  const keys = [...new Set([...mine.fields, ...other.fields].map(({ key }) => key))];
  return keys.map((key) => {
    const place = ({ fields }: Form) => fields.findIndex((field) => field.key === key);
    const at = { mine: place(mine), other: place(other) };
    const unsigned = {
      mine: mine.fields[at.mine]?.unsigned ?? false,
      other: other.fields[at.other]?.unsigned ?? false,
    };
    const isSayable = (mine.fields[at.mine] ?? other.fields[at.other])?.isSayable ?? true;
    return { key, at, unsigned, isSayable };
  });
}

/** Two rows of the same series and time. */
function compareRows(
  pairs: readonly FieldPair[],
  form: Form,
  mine: Row,
  other: Row,
  authority: Which | undefined,
  found: Differences,
): void {
  const lacking: Record<Which, string> = { mine: "", other: "" };
  const sayable: Record<Which, boolean> = { mine: form.isSayable, other: form.isSayable };
  for (const { key, at, unsigned, isSayable } of pairs) {
    const has = { mine: mine.values[at.mine] ?? null, other: other.values[at.other] ?? null };
    if (Object.is(has.mine, has.other) && (typeof has.mine !== "bigint" || unsigned.mine === unsigned.other))
      continue;
    const isConflict = has.mine !== null && has.other !== null;
    if (isConflict) found.conflicts++;
    else found.values++;
    if (isConflict && authority === undefined) continue;
    const giver = isConflict ? (authority as Which) : has.mine === null ? "other" : "mine";
    const value = has[giver] as Exclude<Value, null>;
    const taker = opposite(giver);
    lacking[taker] += `${lacking[taker] && ","}${key}${valueText(value, unsigned[giver])}`;
    sayable[taker] &&= isSayable;
  }
  for (const taker of which) {
    if (lacking[taker] === "") continue;
    if (sayable[taker]) found[taker].push(`${form.series} ${lacking[taker]} ${mine.time}`);
    else found.unsayable[taker]++;
  }
}

/** Where one side is being read. */
class Cursor {
  readonly #measurement: string;
  readonly #unsigned: ReadonlySet<string>;
  readonly #blocks: AsyncIterator<Block>;
  #at = 0;
  #last: { tags: readonly Tag[]; time: bigint } | undefined;
  /** Undefined before the first one is loaded, and at the end. */
  block: Block | undefined;
  form: Form = { series: "", fields: [], isSayable: true };
  #ended = false;

  constructor(measurement: string, { blocks, unsigned }: Rows) {
    this.#measurement = measurement;
    this.#unsigned = unsigned;
    this.#blocks = blocks[Symbol.asyncIterator]();
  }

  /** Needs to be loaded. */
  get isEmpty(): boolean {
    return !this.#ended && this.row === undefined;
  }

  get row(): Row | undefined {
    return this.block?.rows[this.#at];
  }

  next(): void {
    this.#at++;
  }

  async load(): Promise<void> {
    const { value, done } = await this.#blocks.next();
    this.block = done ? undefined : value;
    this.#ended = done ?? false;
    this.#at = 0;
    if (!this.block) return;
    this.#requireOrder(this.block);
    this.form = formOf(this.#measurement, this.block, this.#unsigned);
  }

  /** Comparing rests on the server's order, so it is not taken on trust. */
  #requireOrder({ tags, rows }: Block): void {
    const order = this.#last ? compareTags(this.#last.tags, tags) : -1;
    let time = order === 0 ? this.#last?.time : undefined;
    let isRising = order <= 0;
    for (const row of rows) {
      if (time !== undefined && row.time <= time) isRising = false;
      time = row.time;
    }
    if (!isRising) {
      throw failed(
        "influxdb.order",
        `a server does not answer ${this.#measurement} in the order that is known of it`,
        {
          remedy: "use a version of InfluxDB that docs/systems.md names",
        },
      );
    }
    this.#last = { tags, time: time ?? 0n };
  }

  async end(): Promise<void> {
    await this.#blocks.return?.();
  }
}

/** As the server orders series: by the values of all tags, the key that comes first deciding first. A tag that is not there is empty. */
export function compareTags(a: readonly Tag[], b: readonly Tag[]): number {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    const isBoth = left && right && left[0] === right[0];
    const isLeft = isBoth || !right || (left !== undefined && left[0] < right[0]);
    const isRight = isBoth || !isLeft;
    const [x, y] = [isLeft ? (left?.[1] ?? "") : "", isRight ? (right?.[1] ?? "") : ""];
    if (x !== y) return x < y ? -1 : 1;
    if (isLeft) i++;
    if (isRight) j++;
  }
  return 0;
}
