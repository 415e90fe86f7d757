import * as v from "valibot";
import { askJson } from "./admin.ts";
import { slotIn } from "./layout.ts";
import type { Limits } from "../http.ts";
import type { Store } from "./store.ts";

const amount = v.pipe(v.number(), v.minValue(0));

const schema = v.object({
  servers: v.pipe(
    v.array(
      v.object({
        endpoint: v.optional(v.string(), ""),
        drives: v.optional(
          v.pipe(
            v.array(
              v.object({
                path: v.optional(v.string(), ""),
                metrics: v.nullish(
                  v.object({
                    /** By the name of the engine's own call. */
                    lastMinute: v.nullish(
                      v.record(
                        v.string(),
                        v.object({ count: v.optional(amount, 0), acc_time_ns: v.optional(amount, 0) }),
                      ),
                    ),
                  }),
                ),
              }),
            ),
            v.maxLength(1024),
          ),
          [],
        ),
      }),
    ),
    v.maxLength(1024),
  ),
});
type Times = v.InferOutput<typeof schema>;

/** Calls that a drive answers by itself: those that stream an object last as long as its client takes. */
const calls = [
  "RenameData",
  "WriteMetadata",
  "UpdateMetadata",
  "WriteAll",
  "Delete",
  "DeleteVersion",
  "ReadVersion",
  "ReadXL",
];

/** Fewer in a minute say nothing. */
const fewest = 20;
/** A disk that turns takes some 10 ms, with a queue some more. */
const slowMs = 100;
/** Where all are slow, the machine is, or the load is high. */
const times = 5;

/**
 * The places of a node's drives that have been far slower than the store's others for a minute.
 * @param slot null: the store is this node's alone
 * @throws ChimeError `minio.*`
 */
export async function slowDrives(store: Store, slot: number | null, limits: Limits): Promise<string[]> {
  const asked = { method: "GET" as const, query: { metrics: "true" } };
  return slowIn(await askJson(store, "info", schema, asked, limits), slot);
}

/** Pure. */
export function slowIn({ servers }: Times, slot: number | null): string[] {
  const own = servers.find(({ endpoint }) => slot === null || slotIn(endpoint) === slot)?.drives ?? [];
  const all = servers.flatMap(({ drives }) => drives);
  return own
    .filter((drive) =>
      calls.some((call) => {
        const mean = meanMs(drive, call);
        if (mean === undefined || mean < slowMs) return false;
        const others = all.filter((other) => other !== drive).flatMap((other) => meanMs(other, call) ?? []);
        const middle = others.toSorted((a, b) => a - b)[Math.floor(others.length / 2)];
        return middle !== undefined && mean > times * middle;
      }),
    )
    .map(({ path }) => path);
}

function meanMs({ metrics }: Times["servers"][number]["drives"][number], call: string): number | undefined {
  const found = metrics?.lastMinute?.[call];
  return found && found.count >= fewest ? found.acc_time_ns / found.count / 1e6 : undefined;
}
