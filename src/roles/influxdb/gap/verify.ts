import { digestOf } from "./digest.ts";
import { planWindows } from "./plan.ts";
import type { Measurement } from "./schema.ts";
import type { Pair } from "./sides.ts";
import type { Range } from "./time.ts";
import { inTurn, type Care } from "./pace.ts";

/** A window in which the two do not hold the same. */
export interface Unequal extends Range {
  /** Points of each. */
  mine: number;
  other: number;
}

/**
 * Compares a measurement in a range by counts and hashes of all values of all types. Another way than that by which it was
 * filled: each side's answer is hashed by itself.
 * @throws ChimeError `influxdb.*`
 */
export async function* unequal(
  pair: Pair,
  measurement: Measurement,
  range: Range,
  limits: Care,
): AsyncGenerator<Unequal, void> {
  for await (const { from, to, values } of planWindows(pair, measurement, range, limits)) {
    const digest = (one: "mine" | "other") =>
      inTurn(limits, "reading", values, () => digestOf(pair, one, measurement, { from, to }, limits));
    const [mine, other] = await Promise.all([digest("mine"), digest("other")]);
    if (mine.points !== other.points || mine.sum !== other.sum) {
      yield { from, to, mine: mine.points, other: other.points };
    }
  }
}
