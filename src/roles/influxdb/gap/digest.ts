import { createHash } from "node:crypto";
import { formOf, lineOf } from "./line.ts";
import { readRows, type Block } from "./read.ts";
import { unsignedFields, type Measurement } from "./schema.ts";
import type { Pair, Which } from "./sides.ts";
import type { Range } from "./time.ts";
import type { Care } from "./pace.ts";

/** What one side holds of a measurement in a range. */
export interface Digest {
  points: number;
  /** SHA-256 of all its points as lines, in the server's order: of every value of every type, to the last bit. */
  sum: string;
}

/** Text for the hash is gathered up to about so many bytes. */
const gatheredBytes = 64 << 10;

/** Of a range that lies in one shard. @throws ChimeError `influxdb.*` */
export async function digestOf(
  pair: Pair,
  one: Which,
  measurement: Measurement,
  range: Range,
  limits: Care,
): Promise<Digest> {
  const side = pair[one];
  const unsigned = await unsignedFields(side, measurement.name, measurement[one], range, limits);
  return digestBlocks(measurement.name, readRows(side, measurement.name, range, limits), unsigned);
}

async function digestBlocks(
  measurement: string,
  blocks: AsyncIterable<Block>,
  unsigned: ReadonlySet<string>,
): Promise<Digest> {
  const name = Buffer.from(measurement).toString("latin1");
  const hash = createHash("sha256");
  let points = 0;
  let text = "";
  for await (const block of blocks) {
    const form = formOf(name, block, unsigned);
    for (const row of block.rows) {
      const line = lineOf(form, row);
      if (line === "") continue;
      points++;
      text += `${line}\n`;
      if (text.length < gatheredBytes) continue;
      hash.update(text, "latin1");
      text = "";
    }
  }
  return { points, sum: hash.update(text, "latin1").digest("hex") };
}
